using Microsoft.ML.OnnxRuntime;
using R1Serverless.Scheduling;

namespace R1Serverless.Engine.Runtime;

/// <summary>
/// Keys and values of all slots: per layer and kind one buffer [slots, kv_heads, length, head_dim] that a step reads as past and writes as
/// present. Owns its memory.
/// </summary>
internal sealed class KvCache(GraphSignature graph, KvMemory memory) : IDisposable
{
    private readonly nint[] _buffers = new nint[graph.KvInputs.Count];

    public KvShape Shape { get; private set; }

    private long TokenBytes => (long)graph.HeadSize * graph.KvElementBytes;

    private long HeadBytes => Shape.Length * TokenBytes;

    private long SlotBytes => HeadBytes * graph.KvHeads;

    /// <summary>Takes a new shape and copies <paramref name="rows"/> from the old one. Throws and changes nothing if the memory can't be
    /// had.</summary>
    public void Resize(KvShape shape, IReadOnlyList<SlotMove> rows)
    {
        var (old, oldHead, oldSlot) = (_buffers.ToArray(), HeadBytes, SlotBytes);
        var fresh = new nint[_buffers.Length];
        var headBytes = shape.Length * TokenBytes;
        try
        {
            for (var i = 0; i < fresh.Length; i++) fresh[i] = memory.Allocate(checked(headBytes * graph.KvHeads * shape.Slots));
            foreach (var row in rows)
            {
                for (var i = 0; i < fresh.Length; i++)
                {
                    var from = new Pieces(old[i] + (nint)(row.From * oldSlot), oldHead);
                    var to = new Pieces(fresh[i] + (nint)(row.To * headBytes * graph.KvHeads), headBytes);
                    memory.Copy(from, to, row.Length * TokenBytes, graph.KvHeads);
                }
            }
        }
        catch
        {
            foreach (var buffer in fresh) memory.Free(buffer);
            throw;
        }

        fresh.CopyTo(_buffers, 0);
        Shape = shape;
        foreach (var buffer in old) memory.Free(buffer);
    }

    public void Move(SlotMove move)
    {
        for (var i = 0; i < _buffers.Length; i++) memory.Copy(Heads(i, move.From), Heads(i, move.To), move.Length * TokenBytes, graph.KvHeads);
    }

    /// <summary>Gives back the memory of slots whose content is not needed.</summary>
    public void Release(IReadOnlyList<int> slots)
    {
        foreach (var slot in slots)
        {
            foreach (var buffer in _buffers) memory.Release(buffer + (nint)(slot * SlotBytes), SlotBytes);
        }
    }

    /// <summary>Copies a block of a slot's tokens from or to where a buffer's heads of it lie elsewhere.</summary>
    /// <param name="start">The first of <paramref name="tokens"/> tokens.</param>
    public void Copy(int slot, int start, int tokens, Func<int, Pieces> block, bool isOut)
    {
        for (var i = 0; i < _buffers.Length; i++)
        {
            var own = Heads(i, slot);
            own = own with { Start = own.Start + (nint)(start * TokenBytes) };
            var (from, to) = isOut ? (own, block(i)) : (block(i), own);
            memory.Copy(from, to, tokens * TokenBytes, graph.KvHeads);
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

    public void Restore(byte[][] saved, int slot)
    {
        for (var i = 0; i < _buffers.Length; i++) memory.Write(saved[i], Heads(i, slot), graph.KvHeads);
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
        memory.Dispose();
    }

    private Pieces Heads(int buffer, int slot) => new(_buffers[buffer] + (nint)(slot * SlotBytes), HeadBytes);
}
