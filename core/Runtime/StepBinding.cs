using Microsoft.ML.OnnxRuntime;

namespace R1Serverless.Runtime;

/// <summary>Inputs and outputs of a run over slots [first, first + rows), bound once. Owns its tensors, not the memory under them.</summary>
internal sealed class StepBinding : IDisposable
{
    private readonly OrtIoBinding _binding;
    private readonly GraphSignature _graph;
    private readonly bool _copiesInputs;
    private readonly List<OrtValue> _tensors = [];
    private readonly List<(string Name, OrtValue Value)> _inputs = [];
    private OrtValue? _mask;

    public StepBinding(OrtSession session, GraphSignature graph, KvCache kv, int first, int rows, OrtValue logits)
    {
        (_binding, _graph, _copiesInputs) = (session.Session.CreateIoBinding(), graph, session.Provider.HasOwnMemory);
        _tensors.Add(logits);
        _binding.BindOutput(graph.Logits, logits);
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

    /// <summary>Binds the attention mask [rows, width] and takes ownership of it.</summary>
    public void BindMask(OrtValue mask, int width)
    {
        _binding.BindInput(_graph.AttentionMask.Name, mask);
        _mask?.Dispose();
        (_mask, MaskWidth) = (mask, width);
    }

    public void Run(InferenceSession session, RunOptions options)
    {
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
    }

    private void Bind(string name, OrtValue value)
    {
        _tensors.Add(value);
        _inputs.Add((name, value));
        _binding.BindInput(name, value);
    }
}
