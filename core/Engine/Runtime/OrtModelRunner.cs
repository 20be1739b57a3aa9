using Microsoft.ML.OnnxRuntime;
using R1Serverless.Engine.Devices;
using R1Serverless.Models;
using R1Serverless.Scheduling;
using R1Serverless.Scheduling.Prefixes;

namespace R1Serverless.Engine.Runtime;

/// <summary>Runs a decoder graph whose attention shares past and present (GroupQueryAttention) on ONNX Runtime.</summary>
public sealed class OrtModelRunner : IModelRunner
{
    private readonly OrtSession _session;
    private readonly GraphSignature _graph;
    private readonly KvMemory _memory;
    private readonly KvCache _kv;
    private readonly RunOptions _options;
    private readonly GraphCapture? _capture;
    private readonly IntegerBuffer _promptIds, _promptPositions, _promptMask, _decodeIds, _decodePositions;
    private readonly AttentionMask _decodeMask;
    private readonly LogitsBuffer _logits;
    private readonly Dictionary<int, StepBinding> _decodeBindings = [];
    private int[] _logitsAt = [];

    /// <summary>Takes ownership of the session.</summary>
    public OrtModelRunner(OrtSession session, GraphSignature graph)
    {
        (_session, _graph, _memory, _options) = (session, graph, KvMemory.For(session), session.CreateRunOptions());
        _kv = new KvCache(graph, _memory);
        if (session.Provider.CapturesSteps) _capture = new GraphCapture();
        (_promptIds, _decodeIds) = (new IntegerBuffer(graph.InputIds.Type), new IntegerBuffer(graph.InputIds.Type));
        var positions = (graph.PositionIds ?? graph.InputIds).Type;
        (_promptPositions, _decodePositions) = (new IntegerBuffer(positions), new IntegerBuffer(positions));
        (_promptMask, _decodeMask) = (new IntegerBuffer(graph.AttentionMask.Type), new AttentionMask(graph.AttentionMask.Type));
        _logits = new LogitsBuffer(graph);
    }

    /// <summary>Where it runs.</summary>
    public ExecutionProvider Provider => _session.Provider;

    /// <summary>Whether the graph is the prepared one.</summary>
    public bool IsPrepared => _session.IsPrepared;

    /// <summary>Why what was prepared is not used, in words; null where it is, or where nothing was prepared.</summary>
    public string? PreparedRefusal { get; init; }

    /// <inheritdoc cref="PreparedManifest.HasExactPrefixes"/>
    public bool? HasExactPrefixes { get; init; }

    /// <summary>What it took to prove that a prepared graph gives the plain one's answers: runs, which have warmed it.</summary>
    public TimeSpan ProofTime { get; internal set; }

    public int VocabularySize => _graph.VocabularySize;

    public bool TakesMemoryLazily => _memory.IsLazy;

    public bool MapsPrefixes => _kv.MapsBlocks;

    public long KvBytesPerToken => _graph.KvBytesPerToken;

    public StepOutcome Resize(KvShape shape, IReadOnlyList<SlotMove> rows) => Guard(() =>
    {
        DropDecodeBindings();
        _kv.Resize(shape, rows);
    });

    public void Move(SlotMove move) => _kv.Move(move);

    public KvSnapshot Save(int slot, int length) => new HostSnapshot(_kv.Save(slot, length), length);

    public StepOutcome Restore(KvSnapshot snapshot, int slot, int from) =>
        Guard(() => _kv.Restore(((HostSnapshot)snapshot).Data, slot, from));

    public void Release(IReadOnlyList<SlotRest> rests) => _kv.Release(rests);

    public StepOutcome Publish(int slot, IReadOnlyList<PrefixBlock> blocks) => Guard(() =>
    {
        foreach (var block in blocks) _kv.Publish(slot, block);
    });

    public StepOutcome Attach(int slot, IReadOnlyList<int> blocks, out int mapped)
    {
        var tokens = 0;
        var outcome = Guard(() => tokens = _kv.Attach(slot, blocks));
        mapped = tokens;
        return outcome;
    }

    public int BlockBytes => checked((int)(_graph.KvBytesPerToken * PrefixTree.BlockTokens));

    public void ReadBlock(int block, byte[] to) => _kv.ReadBlock(block, to);

    public StepOutcome WriteBlock(int block, byte[] from) => Guard(() => _kv.WriteBlock(block, from));

    public void Drop(IReadOnlyList<int> blocks) => _kv.Drop(blocks);

    public StepOutcome Prefill(int firstSlot, IReadOnlyList<ReadOnlyMemory<int>> prompts) => Guard(() =>
    {
        for (var row = 0; row < prompts.Count; row++) _kv.Write(firstSlot + row, 0);
        var (width, shortest) = (0, int.MaxValue);
        foreach (var prompt in prompts) (width, shortest) = (Math.Max(width, prompt.Length), Math.Min(shortest, prompt.Length));
        if (_graph is { LastTokenOnly: true, LastTokenIsReal: false })
        {
            // The graph may look at the last column, which is padding in a shorter row: only rows of one length can share a run.
            var together = shortest == width ? prompts.Count : 1;
            RequireLogits(prompts.Count, width);
            for (var row = 0; row < prompts.Count; row += together)
            {
                if (LeavesOne(prompts[row].Length)) PrefillInTwo(firstSlot, prompts, row, together);
                else PrefillRows(firstSlot, prompts, row, together, prompts[row].Length);
            }

            return;
        }

        if (LeavesOne(width)) width++;
        width = Math.Min(_kv.Shape.Length, (width + Provider.TokenAlignment - 1) / Provider.TokenAlignment * Provider.TokenAlignment);
        RequireLogits(prompts.Count, width);
        PrefillRows(firstSlot, prompts, 0, prompts.Count, width);
    });

    public StepOutcome PrefillChunk(int slot, int start, ReadOnlyMemory<int> tokens) => Guard(() =>
    {
        _kv.Write(slot, start);
        var split = LeavesOne(tokens.Length) ? tokens.Length - 2 : 0;
        if (split > 0) RunChunk(slot, start, tokens[..split]);
        RunChunk(slot, start + split, tokens[split..]);
    });

    public StepOutcome PrefillChunk(int slot, int start, ReadOnlyMemory<int> tokens, IReadOnlyList<PrefixBlock> blocks, out int mapped)
    {
        mapped = 0;
        var isOpen = _kv.Open(slot, start, blocks);
        var outcome = PrefillChunk(slot, start, tokens);
        if (isOpen) mapped = _kv.Close(slot, blocks, isComputed: outcome.Result == StepResult.Completed);
        return outcome;
    }

    public StepOutcome Decode(ReadOnlySpan<int> tokens, ReadOnlySpan<int> cachedLengths)
    {
        var rows = tokens.Length;
        try
        {
            if (_decodeIds.Require(rows) | _decodePositions.Require(rows) | _decodeMask.Set(cachedLengths, _kv.Shape.Length)) DropDecodeBindings();
            RequireLogits(rows, 1);
            _decodeIds.Write(0, tokens);
            _decodePositions.Write(0, cachedLengths);
            for (var row = 0; row < rows; row++) _logitsAt[row] = row;
            DecodeBinding(rows).Run(_session.Session, _options);
            return StepOutcome.Completed;
        }
        catch (Exception fault) when (OrtFault.IsExpected(fault))
        {
            // A buffer may have moved before another could not grow: what was bound to it is stale.
            DropDecodeBindings();
            return OrtFault.ToOutcome(fault);
        }
    }

    public Span<float> Logits(int row) => _logits.Row(_logitsAt[row]);

    public void Dispose()
    {
        DropDecodeBindings();
        _kv.Dispose();
        foreach (var buffer in (IntegerBuffer[])[_promptIds, _promptPositions, _promptMask, _decodeIds, _decodePositions]) buffer.Dispose();
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

    /// <summary>Whether the attention over so many tokens would leave the last to a block of its own. ONNX Runtime's kernel for the CPU takes queries
    /// in blocks of two heads' size, and multiplies a block of one in another way than one of several: the token would have other bits alone than in
    /// a longer run (measured).</summary>
    private bool LeavesOne(int tokens) => tokens > 1 && tokens % (2 * _graph.HeadSize) == 1;

    /// <summary>Prompts of one length whose last token must not be left alone, and that can't be padded.</summary>
    private void PrefillInTwo(int firstSlot, IReadOnlyList<ReadOnlyMemory<int>> prompts, int first, int rows)
    {
        var split = prompts[first].Length - 2;
        for (var row = first; row < first + rows; row++)
        {
            PrefillRows(firstSlot, [.. prompts.Select(prompt => prompt[..Math.Min(prompt.Length, split)])], row, 1, split);
            RunChunk(firstSlot + row, split, prompts[row][split..], row);
        }
    }

    private void RunChunk(int slot, int start, ReadOnlyMemory<int> tokens, int logitsAt = 0)
    {
        var (count, total) = (tokens.Length, start + tokens.Length);
        RequirePrompt(count, total);
        RequireLogits(1, count);
        _promptIds.Write(0, tokens.Span);
        _promptPositions.Count(0, count, start);
        _promptMask.Fill(0, total, 1);
        _logitsAt[logitsAt] = LogitsRow(logitsAt, count, count);
        RunPrompt(slot, 1, count, total, logitsAt);
    }

    /// <summary>Prompts [first, first + rows), padded to one width, in one run.</summary>
    private void PrefillRows(int firstSlot, IReadOnlyList<ReadOnlyMemory<int>> prompts, int first, int rows, int width)
    {
        RequirePrompt(rows * width, rows * width);
        for (var row = 0; row < rows; row++)
        {
            var prompt = prompts[first + row].Span;
            var at = row * width;
            _promptIds.Write(at, prompt);
            _promptIds.Fill(at + prompt.Length, width - prompt.Length, 0);
            _promptPositions.Count(at, width, 0);
            _promptMask.Fill(at, prompt.Length, 1);
            _promptMask.Fill(at + prompt.Length, width - prompt.Length, 0);
            _logitsAt[first + row] = LogitsRow(first + row, width, prompt.Length);
        }

        RunPrompt(firstSlot + first, rows, width, width, first);
    }

    private void RequirePrompt(int tokens, int mask)
    {
        _promptIds.Require(tokens);
        _promptPositions.Require(tokens);
        _promptMask.Require(mask);
    }

    private void RunPrompt(int firstSlot, int rows, int width, int maskWidth, int firstLogits)
    {
        var logits = _logits.View(rows, _graph.LastTokenOnly ? 1 : width, firstLogits);
        using var binding = new StepBinding(_session, _graph, _kv, firstSlot, rows, logits);
        binding.BindTokens(_promptIds.View(rows, width), Positions(_promptPositions, rows, width));
        binding.BindMask(_promptMask.View(rows, maskWidth), maskWidth);
        binding.Run(_session.Session, _options);
    }

    private StepBinding DecodeBinding(int rows)
    {
        if (_decodeBindings.TryGetValue(rows, out var binding) && !binding.TakesMask(_decodeMask.Width))
        {
            _decodeBindings.Remove(rows);
            binding.Dispose();
            binding = null;
        }

        if (binding is null)
        {
            binding = new StepBinding(_session, _graph, _kv, 0, rows, _logits.View(rows, 1),
                _capture is null ? null : (new FixedTensors(_memory), _capture.NextOptions()));
            _decodeBindings.Add(rows, binding);
            binding.BindTokens(_decodeIds.View(rows, 1), Positions(_decodePositions, rows, 1));
        }

        if (binding.MaskWidth != _decodeMask.Width) binding.BindMask(_decodeMask.Buffer.View(rows, _decodeMask.Width), _decodeMask.Width);
        return binding;
    }

    private OrtValue? Positions(IntegerBuffer buffer, int rows, int width) => _graph.PositionIds is null ? null : buffer.View(rows, width);

    private int LogitsRow(int row, int width, int length) => _graph.LastTokenOnly ? row : (row * width) + length - 1;

    private void RequireLogits(int rows, int width)
    {
        if (_logits.Require((long)rows * (_graph.LastTokenOnly ? 1 : width))) DropDecodeBindings();
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
