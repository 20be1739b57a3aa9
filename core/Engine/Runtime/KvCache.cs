using Microsoft.ML.OnnxRuntime;
using R1Serverless.Scheduling;
using R1Serverless.Scheduling.Prefixes;

namespace R1Serverless.Engine.Runtime;

/// <summary>
/// Keys and values of all slots: per layer and kind one buffer [slots, kv_heads, length, head_dim] that a step reads as past and writes as
/// present. Owns its memory.
/// </summary>
internal sealed partial class KvCache(GraphSignature graph, KvMemory memory) : IDisposable
{
    private readonly KvBlocks _blocks = new(graph, memory);
    private readonly nint[] _buffers = new nint[graph.KvInputs.Count];
    private readonly MappedBlocks _mapped = new(graph.KvInputs.Count * graph.KvHeads);

    public KvShape Shape { get; private set; }

    /// <summary>Whether published blocks can be mapped into slots.</summary>
    public bool MapsBlocks => _blocks.CanMap;

    private long TokenBytes => (long)graph.HeadSize * graph.KvElementBytes;

    private long HeadBytes => Shape.Length * TokenBytes;

    private long SlotBytes => HeadBytes * graph.KvHeads;

    /// <summary>Takes a new shape and copies <paramref name="rows"/> from the old one. Throws and changes nothing if the memory can't be
    /// had.</summary>
    public void Resize(KvShape shape, IReadOnlyList<SlotMove> rows)
    {
        var (old, oldHead, oldSlot) = (_buffers.ToArray(), HeadBytes, SlotBytes);
        var (oldShape, mapped) = (Shape, rows.ToDictionary(row => row.To, row => _mapped.Of(row.From)));
        var fresh = new nint[_buffers.Length];
        var headBytes = shape.Length * TokenBytes;
        try
        {
            for (var i = 0; i < fresh.Length; i++) fresh[i] = memory.Allocate(checked(headBytes * graph.KvHeads * shape.Slots));
            fresh.CopyTo(_buffers, 0);
            Shape = shape;
            foreach (var row in rows)
                Place(row.To, mapped[row.To], row.Length, i => new Pieces(old[i] + (nint)(row.From * oldSlot), oldHead), isKnown: false,
                    i => memory.Release(old[i] + (nint)(row.From * oldSlot), oldSlot));
        }
        catch
        {
            old.CopyTo(_buffers, 0);
            Shape = oldShape;
            foreach (var buffer in fresh) memory.Free(buffer);
            throw;
        }

        _mapped.KeepOnly(mapped.Keys);
        foreach (var buffer in old) memory.Free(buffer);
    }

    public void Move(SlotMove move) =>
        Place(move.To, _mapped.Of(move.From), move.Length, i => Heads(i, move.From), isKnown: true,
            move.IsFreed ? i => memory.Release(_buffers[i] + (nint)(move.From * SlotBytes), SlotBytes) : null);

    /// <summary>Puts published blocks into a slot as its first tokens, in this order: mapped where that can be, else copied.</summary>
    /// <returns>Tokens that are mapped.</returns>
    public int Attach(int slot, IReadOnlyList<int> wanted)
    {
        Place(slot, [.. wanted], wanted.Count * PrefixTree.BlockTokens, null, isKnown: true, null);
        return _mapped.Of(slot).Count(block => block >= 0) * PrefixTree.BlockTokens;
    }

    /// <summary>A slot is written from a token on: what is mapped there is its own from now on.</summary>
    public void Write(int slot, int from) => _mapped.Cut(slot, from / PrefixTree.BlockTokens);

    /// <summary>Gives back the memory of what is not needed.</summary>
    public void Release(IReadOnlyList<SlotRest> rests)
    {
        foreach (var (slot, from) in rests)
        {
            for (var i = 0; i < _buffers.Length; i++)
            {
                var heads = Heads(i, slot);
                if (from > 0)
                {
                    for (var head = 0; head < graph.KvHeads; head++)
                        memory.Release(heads[head] + (nint)(from * TokenBytes), HeadBytes - (from * TokenBytes));
                }
                else if (_mapped.Of(slot).Length > 0 && heads.Start % LinuxMemory.Page == 0 && SlotBytes % LinuxMemory.Page == 0)
                {
                    LinuxMemory.Renew(heads.Start, SlotBytes);
                }
                else
                {
                    memory.Release(heads.Start, SlotBytes);
                }
            }

            _mapped.Cut(slot, from / PrefixTree.BlockTokens);
        }
    }

    /// <summary>Copies a slot's first tokens out: per buffer its heads, tight.</summary>
    public byte[][] Save(int slot, int length)
    {
        var saved = new byte[_buffers.Length][];
        for (var i = 0; i < _buffers.Length; i++)
        {
            saved[i] = new byte[checked((int)(length * TokenBytes * graph.KvHeads))];
            memory.Read(Heads(i, slot), saved[i], graph.KvHeads);
        }

        return saved;
    }

    /// <summary>Copies saved tokens into a slot from one on; those before it are there.</summary>
    public void Restore(byte[][] saved, int slot, int from)
    {
        Write(slot, from);
        for (var i = 0; i < _buffers.Length; i++) memory.Write(saved[i], Heads(i, slot), graph.KvHeads, from * TokenBytes);
    }

    /// <summary>Buffer i's slots [first, first + count) as a tensor over the same memory. The caller disposes it, at the latest before a
    /// resize.</summary>
    public OrtValue View(int buffer, int first, int count) => OrtValue.CreateTensorValueWithData(
        memory.Info,
        graph.KvType,
        [count, graph.KvHeads, Shape.Length, graph.HeadSize],
        _buffers[buffer] + (nint)(first * SlotBytes),
        count * SlotBytes);

    public void Dispose()
    {
        foreach (var buffer in _buffers) memory.Free(buffer);
        Array.Clear(_buffers);
        _blocks.Dispose();
        memory.Dispose();
    }

    /// <summary>Fills a slot's first tokens: with blocks that are mapped there, and copies of the others.</summary>
    /// <param name="wanted">Blocks at the beginning, -1 for one of the slot's own.</param>
    /// <param name="from">Where all of the tokens lie per buffer; null where blocks that can't be mapped are copied.</param>
    /// <param name="isKnown">Whether what is mapped in the slot now is known, and may stay.</param>
    /// <param name="done">Told each buffer that is filled.</param>
    private void Place(int slot, int[] wanted, int length, Func<int, Pieces>? from, bool isKnown, Action<int>? done)
    {
        const int Block = PrefixTree.BlockTokens;
        var there = isKnown ? _mapped.Of(slot) : [];
        var mapped = Enumerable.Repeat(-1, wanted.Length).ToArray();
        List<(int Start, int Tokens)> copies = [];
        for (var i = 0; i < wanted.Length;)
        {
            var (end, stays) = (i + 1, wanted[i] >= 0 && i < there.Length && there[i] == wanted[i]);
            while (end < wanted.Length && Follows(end) && (end < there.Length && there[end] == wanted[end]) == stays) end++;
            var (first, last) = stays ? (i, end) : wanted[i] < 0 ? (i, i) : Map(slot, i, end, wanted[i]);
            for (var at = first; at < last; at++) mapped[at] = wanted[at];
            if (first > i) copies.Add((i * Block, (first - i) * Block));
            if (end > last) copies.Add((last * Block, (end - last) * Block));
            i = end;
        }

        if (length > wanted.Length * Block) copies.Add((wanted.Length * Block, length - (wanted.Length * Block)));
        for (var i = 0; i < _buffers.Length; i++)
        {
            var to = Heads(i, slot);
            foreach (var (start, tokens) in copies)
            {
                if (from is not null)
                {
                    memory.Copy(At(from(i), start), At(to, start), tokens * TokenBytes, graph.KvHeads);
                    continue;
                }

                for (var at = start; at < start + tokens; at += Block)
                    memory.Copy(_blocks.Take(i, wanted[at / Block]), At(to, at), Block * TokenBytes, graph.KvHeads);
            }

            done?.Invoke(i);
        }

        _mapped.Set(slot, mapped);

        bool Follows(int at) => wanted[at] == wanted[at - 1] + 1 && wanted[at - 1] >= 0 && wanted[at] % KvBlocks.SegmentBlocks != 0;
    }

    /// <summary>Maps what it can of blocks with numbers in a row over a slot's.</summary>
    /// <returns>The first of them that is mapped, and the first after those.</returns>
    private (int First, int Last) Map(int slot, int first, int last, int block)
    {
        var group = _blocks.PageBlocks;
        if (!_blocks.CanMap || HeadBytes % LinuxMemory.Page != 0 || first % group != block % group || !_mapped.MayAdd()) return (first, first);
        var (begin, end) = ((first + group - 1) / group * group, last / group * group);
        if (end <= begin) return (first, first);
        for (var i = 0; i < _buffers.Length; i++)
        {
            var heads = At(Heads(i, slot), begin * PrefixTree.BlockTokens);
            for (var head = 0; head < graph.KvHeads; head++)
            {
                if (!_blocks.TryMap(i, head, block + begin - first, end - begin, heads[head])) return (first, first);
            }
        }

        return (begin, end);
    }

    private Pieces Heads(int buffer, int slot) => new(_buffers[buffer] + (nint)(slot * SlotBytes), HeadBytes);

    private Pieces At(Pieces heads, int token) => heads with { Start = heads.Start + (nint)(token * TokenBytes) };
}
