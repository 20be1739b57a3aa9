using System.Runtime.InteropServices;
using R1Serverless.Engine.Runtime;
using R1Serverless.Scheduling;
using R1Serverless.Scheduling.Prefixes;

namespace R1Serverless.Tests.Engine;

/// <summary>
/// A model whose next token is a hash of every token in the slot, so that a slot that was mixed up, shifted or stale shows at once.
/// It refuses steps that <see cref="FitsInMemory"/> does not allow, and can break on demand.
/// </summary>
/// <param name="vocabularySize">At least 97; the model says only the first 97.</param>
internal sealed class FakeRunner(int vocabularySize = 97) : IModelRunner
{
    private readonly Dictionary<int, int[]> _blocks = [];

    /// <summary>Blocks that are mapped at the beginnings of slots: where one changes, so does the slot.</summary>
    private readonly Dictionary<int, int[]> _mapped = [];
    private readonly HashSet<int> _refused = [];
    private int[][] _slots = [];
    private int[] _next = [];
    private KvShape _shape;

    public int VocabularySize => vocabularySize;

    public long KvBytesPerToken => 1;

    public bool TakesMemoryLazily => MapsPrefixes;

    public bool MapsPrefixes { get; init; }

    /// <summary>Asked at each chunk whose blocks could be computed in their place; false refuses that.</summary>
    public Func<bool> ComputesInBlocks { get; set; } = () => true;

    /// <summary>Called before a block is read.</summary>
    public Action OnReadBlock { get; set; } = () => { };

    public bool IsDisposed { get; private set; }

    public Action OnDispose { get; set; } = () => { };

    public int Steps { get; private set; }

    public int LargestBatch { get; private set; }

    /// <summary>Asked with the rows of a step; false makes it run out of memory.</summary>
    public Func<int, bool> FitsInMemory { get; set; } = _ => true;

    /// <summary>Asked with the tokens of all slots; false makes a resize run out of memory.</summary>
    public Func<long, bool> FitsSlots { get; set; } = _ => true;

    /// <summary>False makes what is to be kept run out of memory.</summary>
    public Func<bool> FitsBlocks { get; set; } = () => true;

    public Exception? Fault { get; set; }

    /// <summary>Told what each prefill and decode step that ran was: its rows, and the tokens of its first.</summary>
    public Action<WarmupShape> OnRun { get; set; } = _ => { };

    /// <summary>Told the tokens that a prefill has computed.</summary>
    public Action<int> OnPrompt { get; set; } = _ => { };

    /// <summary>What the model answers to a prompt, token by token.</summary>
    public static List<int> Expected(ReadOnlySpan<int> prompt, int count)
    {
        var tokens = prompt.ToArray().ToList();
        for (var i = 0; i < count; i++) tokens.Add(Next(tokens.ToArray()));
        return tokens[prompt.Length..];
    }

    public StepOutcome Resize(KvShape shape, IReadOnlyList<SlotMove> rows)
    {
        if (!FitsSlots((long)shape.Slots * shape.Length)) return StepOutcome.OutOfMemory;
        var fresh = new int[shape.Slots][];
        for (var i = 0; i < fresh.Length; i++) fresh[i] = NewSlot(shape.Length);
        foreach (var row in rows) _slots[row.From].AsSpan(0, row.Length).CopyTo(fresh[row.To]);
        var mapped = rows.ToDictionary(row => row.To, row => _mapped.GetValueOrDefault(row.From, []));
        _mapped.Clear();
        foreach (var (slot, blocks) in mapped) _mapped.Add(slot, blocks);
        (_slots, _shape) = (fresh, shape);
        return StepOutcome.Completed;
    }

    public void Move(SlotMove move)
    {
        Array.Fill(_slots[move.To], -1);
        _slots[move.From].AsSpan(0, move.Length).CopyTo(_slots[move.To]);
        _mapped[move.To] = _mapped.GetValueOrDefault(move.From, []);
        if (move.IsFreed) Release([new SlotRest(move.From, 0)]);
    }

    public KvSnapshot Save(int slot, int length)
    {
        var saved = new Snapshot(_slots[slot][..length]);
        Array.Fill(_slots[slot], -1);
        return saved;
    }

    public StepOutcome Restore(KvSnapshot snapshot, int slot, int from)
    {
        Cut(slot, from);
        ((Snapshot)snapshot).Tokens.AsSpan(from).CopyTo(_slots[slot].AsSpan(from));
        return StepOutcome.Completed;
    }

    public void Release(IReadOnlyList<SlotRest> rests)
    {
        foreach (var (slot, from) in rests)
        {
            Cut(slot, from);
            _slots[slot].AsSpan(from).Fill(-1);
        }
    }

    public StepOutcome Publish(int slot, IReadOnlyList<PrefixBlock> blocks)
    {
        if (!FitsBlocks())
        {
            _refused.UnionWith(blocks.Select(block => block.Block));
            return StepOutcome.OutOfMemory;
        }

        foreach (var (start, block) in blocks)
        {
            Poison(block);
            _blocks[block] = _slots[slot].AsSpan(start, PrefixTree.BlockTokens).ToArray();
        }

        return StepOutcome.Completed;
    }

    public StepOutcome Attach(int slot, IReadOnlyList<int> blocks, out int mapped)
    {
        mapped = MapsPrefixes ? blocks.Count * PrefixTree.BlockTokens : 0;
        if (MapsPrefixes) _mapped[slot] = [.. blocks];
        for (var i = 0; i < blocks.Count; i++) _blocks[blocks[i]].CopyTo(_slots[slot], i * PrefixTree.BlockTokens);
        return StepOutcome.Completed;
    }

    public int BlockBytes => PrefixTree.BlockTokens * sizeof(int);

    public void ReadBlock(int block, byte[] to)
    {
        OnReadBlock();
        MemoryMarshal.AsBytes(_blocks[block].AsSpan()).CopyTo(to);
    }

    public StepOutcome WriteBlock(int block, byte[] from)
    {
        _blocks[block] = MemoryMarshal.Cast<byte, int>(from).ToArray();
        return StepOutcome.Completed;
    }

    public void Drop(IReadOnlyList<int> blocks)
    {
        foreach (var block in blocks)
        {
            Assert.True(_blocks.Remove(block) || _refused.Remove(block), "A block is dropped that is not there.");
            Poison(block);
        }
    }

    public StepOutcome Prefill(int firstSlot, IReadOnlyList<ReadOnlyMemory<int>> prompts) => Step(prompts.Count, () =>
    {
        for (var i = 0; i < prompts.Count; i++)
        {
            _slots[firstSlot + i] = NewSlot(_shape.Length);
            Cut(firstSlot + i, 0);
            prompts[i].Span.CopyTo(_slots[firstSlot + i]);
            _next[i] = Next(prompts[i].Span);
        }

        OnPrompt(prompts.Sum(prompt => prompt.Length));
        OnRun(new WarmupShape(true, prompts.Count, prompts[0].Length));
    });

    public StepOutcome PrefillChunk(int slot, int start, ReadOnlyMemory<int> tokens)
    {
        var chunk = tokens.ToArray();
        return Step(1, () =>
        {
            OnPrompt(chunk.Length);
            Cut(slot, start);
            chunk.CopyTo(_slots[slot], start);
            _next[0] = Next(_slots[slot].AsSpan(0, start + chunk.Length));
        });
    }

    public StepOutcome PrefillChunk(int slot, int start, ReadOnlyMemory<int> tokens, IReadOnlyList<PrefixBlock> blocks, out int mapped)
    {
        mapped = 0;
        Assert.All(blocks, block => Assert.InRange(block.Start, start, start + tokens.Length - PrefixTree.BlockTokens));
        Assert.True(MapsPrefixes, "There are blocks for a runner that maps none.");
        var outcome = PrefillChunk(slot, start, tokens);
        if (outcome.Result != StepResult.Completed || !ComputesInBlocks())
        {
            _refused.UnionWith(blocks.Select(block => block.Block));
            return outcome;
        }

        Publish(slot, blocks);
        var before = _mapped.GetValueOrDefault(slot, []);
        int[] there = [.. before, .. Enumerable.Repeat(-1, (blocks[0].Start / PrefixTree.BlockTokens) - before.Length), .. blocks.Select(block => block.Block)];
        _mapped[slot] = there;
        mapped = there.Count(block => block >= 0) * PrefixTree.BlockTokens;
        return outcome;
    }

    public StepOutcome Decode(ReadOnlySpan<int> tokens, ReadOnlySpan<int> cachedLengths)
    {
        var (news, lengths) = (tokens.ToArray(), cachedLengths.ToArray());
        return Step(tokens.Length, () =>
        {
            for (var row = 0; row < news.Length; row++)
            {
                _slots[row][lengths[row]] = news[row];
                _next[row] = Next(_slots[row].AsSpan(0, lengths[row] + 1));
            }

            OnRun(new WarmupShape(false, news.Length, lengths[0]));
        });
    }

    public Span<float> Logits(int row)
    {
        var logits = new float[VocabularySize];
        logits[_next[row]] = 10;
        return logits;
    }

    public void Dispose()
    {
        IsDisposed = true;
        OnDispose();
    }

    /// <summary>What is written there is the slot's own.</summary>
    private void Cut(int slot, int from)
    {
        if (_mapped.TryGetValue(slot, out var blocks)) _mapped[slot] = blocks[..Math.Min(blocks.Length, from / PrefixTree.BlockTokens)];
    }

    /// <summary>Who still reads it is found out.</summary>
    private void Poison(int block)
    {
        foreach (var (slot, blocks) in _mapped)
        {
            var at = Array.IndexOf(blocks, block);
            if (at >= 0) _slots[slot].AsSpan(at * PrefixTree.BlockTokens, PrefixTree.BlockTokens).Fill(-1);
        }
    }

    private static int[] NewSlot(int length)
    {
        var slot = new int[length];
        Array.Fill(slot, -1);
        return slot;
    }

    private static int Next(ReadOnlySpan<int> tokens)
    {
        var hash = 17u;
        foreach (var token in tokens)
        {
            Assert.True(token >= 0, "A step read a token that was never written into its slot.");
            hash = (hash * 31) + (uint)token;
        }

        return (int)(hash % 97);
    }

    private StepOutcome Step(int rows, Action step)
    {
        if (Fault is { } fault)
        {
            Fault = null;
            return StepOutcome.Failed(fault);
        }

        if (!FitsInMemory(rows)) return StepOutcome.OutOfMemory;
        Steps++;
        LargestBatch = Math.Max(LargestBatch, rows);
        if (_next.Length < rows) _next = new int[rows];
        step();
        return StepOutcome.Completed;
    }

    private sealed class Snapshot(int[] tokens) : KvSnapshot
    {
        public int[] Tokens => tokens;

        public override int Length => tokens.Length;

        public override void Dispose()
        {
        }
    }
}
