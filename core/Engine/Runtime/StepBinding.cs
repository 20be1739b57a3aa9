using Microsoft.ML.OnnxRuntime;

namespace R1Serverless.Engine.Runtime;

/// <summary>Inputs and outputs of a run over slots [first, first + rows), bound once. Owns its tensors, not the memory under them, and its
/// capture.</summary>
internal sealed class StepBinding : IDisposable
{
    private readonly OrtIoBinding _binding;
    private readonly GraphSignature _graph;
    private readonly bool _copiesInputs;
    private readonly List<OrtValue> _tensors = [];
    private readonly List<(string Name, OrtValue Value)> _inputs = [];
    private readonly (FixedTensors Tensors, RunOptions Options)? _capture;
    private OrtValue? _mask;

    /// <param name="capture">Where every input and output gets a fixed address, and the options of all runs; null where nothing is captured.</param>
    public StepBinding(OrtSession session, GraphSignature graph, KvCache kv, int first, int rows, OrtValue logits,
        (FixedTensors Tensors, RunOptions Options)? capture = null)
    {
        (_binding, _graph, _capture) = (session.Session.CreateIoBinding(), graph, capture);
        _copiesInputs = session.Provider.HasOwnMemory && capture is null;
        if (capture is null) _tensors.Add(logits);
        _binding.BindOutput(graph.Logits, capture?.Tensors.AddOutput(logits) ?? logits);
        for (var i = 0; i < graph.KvInputs.Count; i++)
        {
            var view = kv.View(i, first, rows);
            _tensors.Add(view);
            _binding.BindInput(graph.KvInputs[i], view);
            _binding.BindOutput(graph.KvOutputs[i], view);
        }
    }

    /// <summary>Columns of the bound attention mask.</summary>
    public int MaskWidth { get; private set; }

    /// <summary>Binds token ids and, where the graph wants them, positions, both [rows, sequence], and takes ownership.</summary>
    public void BindTokens(OrtValue ids, OrtValue? positions)
    {
        Bind(_graph.InputIds.Name, ids);
        if (positions is not null) Bind(_graph.PositionIds!.Name, positions);
    }

    /// <summary>Whether a mask of another width can be bound: a capture keeps the one it has.</summary>
    public bool TakesMask(int width) => _capture is null || MaskWidth == 0 || MaskWidth == width;

    /// <summary>Binds the attention mask [rows, width] and takes ownership of it.</summary>
    public void BindMask(OrtValue mask, int width)
    {
        if (_capture is { } capture)
        {
            _binding.BindInput(_graph.AttentionMask.Name, capture.Tensors.AddInput(mask));
            MaskWidth = width;
            return;
        }

        _binding.BindInput(_graph.AttentionMask.Name, mask);
        _mask?.Dispose();
        (_mask, MaskWidth) = (mask, width);
    }

    public void Run(InferenceSession session, RunOptions options)
    {
        if (_capture is { } capture)
        {
            capture.Tensors.CopyIn();
            session.RunWithBinding(capture.Options, _binding);
            capture.Tensors.CopyOut();
            return;
        }

        if (_copiesInputs)
        {
            // Binding copies an input to the device: what was written since has to be bound again.
            foreach (var (name, value) in _inputs) _binding.BindInput(name, value);
            _binding.BindInput(_graph.AttentionMask.Name, _mask);
        }

        session.RunWithBinding(options, _binding);
    }

    public void Dispose()
    {
        _binding.Dispose();
        _mask?.Dispose();
        foreach (var tensor in _tensors) tensor.Dispose();
        _capture?.Tensors.Dispose();
        _capture?.Options.Dispose();
    }

    private void Bind(string name, OrtValue value)
    {
        if (_capture is { } capture)
        {
            _binding.BindInput(name, capture.Tensors.AddInput(value));
            return;
        }

        _tensors.Add(value);
        _inputs.Add((name, value));
        _binding.BindInput(name, value);
    }
}
