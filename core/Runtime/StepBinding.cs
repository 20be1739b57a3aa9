using Microsoft.ML.OnnxRuntime;

namespace R1Serverless.Runtime;

/// <summary>Inputs and outputs of a run over slots [first, first + rows), bound once. Owns its tensors, not the memory under them.</summary>
internal sealed class StepBinding : IDisposable
{
    private readonly OrtIoBinding _binding;
    private readonly List<OrtValue> _tensors = [];
    private OrtValue? _mask;

    public StepBinding(InferenceSession session, GraphSignature graph, KvCache kv, int first, int rows, OrtValue ids, OrtValue logits)
    {
        _binding = session.CreateIoBinding();
        _tensors.Add(ids);
        _tensors.Add(logits);
        _binding.BindInput(GraphSignature.InputIds, ids);
        _binding.BindOutput(GraphSignature.Logits, logits);
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

    /// <summary>Binds the attention mask [rows, width] and takes ownership of it.</summary>
    public void BindMask(OrtValue mask, int width)
    {
        _binding.BindInput(GraphSignature.AttentionMask, mask);
        _mask?.Dispose();
        (_mask, MaskWidth) = (mask, width);
    }

    public void Run(InferenceSession session, RunOptions options) => session.RunWithBinding(options, _binding);

    public void Dispose()
    {
        _binding.Dispose();
        _mask?.Dispose();
        foreach (var tensor in _tensors) tensor.Dispose();
    }
}
