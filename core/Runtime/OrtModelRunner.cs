using Microsoft.ML.OnnxRuntime;
using R1Serverless.Batching;

namespace R1Serverless.Runtime;

/// <summary>Runs a decoder graph of onnxruntime-genai's layout (GroupQueryAttention with shared past and present) on ONNX Runtime.</summary>
internal sealed class OrtModelRunner : IModelRunner
{
    private readonly InferenceSession _session;
    private readonly GraphSignature _graph;
    private readonly KvCache _kv;
    private readonly RunOptions _options = new();
    private readonly NativeBuffer<long> _promptIds = new();
    private readonly NativeBuffer<long> _promptMask = new();
    private readonly NativeBuffer<long> _decodeIds = new();
    private readonly AttentionMask _decodeMask = new();
    private readonly NativeBuffer<float> _logits = new();
    private readonly Dictionary<int, StepBinding> _decodeBindings = [];
    private int[] _logitsAt = [];

    /// <summary>Takes ownership of the session.</summary>
    public OrtModelRunner(InferenceSession session)
    {
        _session = session;
        _graph = GraphSignature.Read(session);
        _kv = new KvCache(_graph);
        _logits.Require(_graph.VocabularySize);
    }

    public int VocabularySize => _graph.VocabularySize;

    public long KvBytesPerToken => _graph.KvBytesPerToken;

    public StepOutcome Resize(KvShape shape, IReadOnlyList<SlotMove> rows) => Guard(() =>
    {
        DropDecodeBindings();
        _kv.Resize(shape, rows);
    });

    public void Move(SlotMove move) => _kv.Move(move);

    public KvSnapshot Save(int slot, int length) => new HostSnapshot(_kv.Save(slot, length), length);

    public StepOutcome Restore(KvSnapshot snapshot, int slot)
    {
        _kv.Restore(((HostSnapshot)snapshot).Data, slot);
        return StepOutcome.Completed;
    }

    public StepOutcome Prefill(int firstSlot, IReadOnlyList<ReadOnlyMemory<int>> prompts) => Guard(() =>
    {
        var width = 0;
        foreach (var prompt in prompts) width = Math.Max(width, prompt.Length);
        _promptIds.Require(prompts.Count * width);
        _promptMask.Require(prompts.Count * width);
        RequireLogits(prompts.Count, width);
        for (var row = 0; row < prompts.Count; row++)
        {
            var prompt = prompts[row].Span;
            WriteRow(row, width, prompt, prompt.Length);
            _logitsAt[row] = LogitsRow(row, width, prompt.Length);
        }

        RunPrompt(firstSlot, prompts.Count, width, width);
    });

    public StepOutcome PrefillChunk(int slot, int start, ReadOnlyMemory<int> tokens) => Guard(() =>
    {
        var (count, width) = (tokens.Length, start + tokens.Length);
        _promptIds.Require(count);
        _promptMask.Require(width);
        RequireLogits(1, count);
        for (var i = 0; i < count; i++) _promptIds.Span[i] = tokens.Span[i];
        _promptMask.Span[..width].Fill(1);
        _logitsAt[0] = LogitsRow(0, count, count);
        RunPrompt(slot, 1, count, width);
    });

    public StepOutcome Decode(ReadOnlySpan<int> tokens, ReadOnlySpan<int> cachedLengths)
    {
        var rows = tokens.Length;
        try
        {
            if (_decodeIds.Require(rows) | _decodeMask.Set(cachedLengths, _kv.Shape.Length)) DropDecodeBindings();
            RequireLogits(rows, 1);
            for (var row = 0; row < rows; row++)
            {
                _decodeIds.Span[row] = tokens[row];
                _logitsAt[row] = row;
            }

            DecodeBinding(rows).Run(_session, _options);
            return StepOutcome.Completed;
        }
        catch (Exception fault) when (OrtFault.IsExpected(fault))
        {
            // A buffer may have moved before another could not grow: what was bound to it is stale.
            DropDecodeBindings();
            return OrtFault.ToOutcome(fault);
        }
    }

    public Span<float> Logits(int row) => _logits.Span.Slice(_logitsAt[row] * _graph.VocabularySize, _graph.VocabularySize);

    public void Dispose()
    {
        DropDecodeBindings();
        _kv.Dispose();
        _promptIds.Dispose();
        _promptMask.Dispose();
        _decodeIds.Dispose();
        _decodeMask.Dispose();
        _logits.Dispose();
        _options.Dispose();
        _session.Dispose();
    }

    private static StepOutcome Guard(Action step)
    {
        try
        {
            step();
            return StepOutcome.Completed;
        }
        catch (Exception fault) when (OrtFault.IsExpected(fault))
        {
            return OrtFault.ToOutcome(fault);
        }
    }

    private void WriteRow(int row, int width, ReadOnlySpan<int> prompt, int length)
    {
        var ids = _promptIds.Span.Slice(row * width, width);
        for (var i = 0; i < prompt.Length; i++) ids[i] = prompt[i];
        ids[length..].Clear();
        var mask = _promptMask.Span.Slice(row * width, width);
        mask[..length].Fill(1);
        mask[length..].Clear();
    }

    private void RunPrompt(int firstSlot, int rows, int width, int maskWidth)
    {
        var logits = _logits.View(rows, _graph.LastTokenOnly ? 1 : width, _graph.VocabularySize);
        using var binding = new StepBinding(_session, _graph, _kv, firstSlot, rows, _promptIds.View(rows, width), logits);
        binding.BindMask(_promptMask.View(rows, maskWidth), maskWidth);
        binding.Run(_session, _options);
    }

    private StepBinding DecodeBinding(int rows)
    {
        if (!_decodeBindings.TryGetValue(rows, out var binding))
        {
            binding = new StepBinding(_session, _graph, _kv, 0, rows, _decodeIds.View(rows, 1), _logits.View(rows, 1, _graph.VocabularySize));
            _decodeBindings.Add(rows, binding);
        }

        if (binding.MaskWidth != _decodeMask.Width) binding.BindMask(_decodeMask.Buffer.View(rows, _decodeMask.Width), _decodeMask.Width);
        return binding;
    }

    private int LogitsRow(int row, int width, int length) => _graph.LastTokenOnly ? row : (row * width) + length - 1;

    private void RequireLogits(int rows, int width)
    {
        if (_logits.Require(rows * (_graph.LastTokenOnly ? 1 : width) * _graph.VocabularySize)) DropDecodeBindings();
        if (_logitsAt.Length < rows) _logitsAt = new int[rows * 2];
    }

    private void DropDecodeBindings()
    {
        foreach (var binding in _decodeBindings.Values) binding.Dispose();
        _decodeBindings.Clear();
    }

    private sealed class HostSnapshot(byte[][] data, int length) : KvSnapshot
    {
        public byte[][] Data => data;

        public override int Length => length;

        public override void Dispose()
        {
        }
    }
}
