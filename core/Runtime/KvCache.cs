using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using R1Serverless.Batching;

namespace R1Serverless.Runtime;

/// <summary>
/// Keys and values of all slots: per layer and kind one buffer [slots, kv_heads, length, head_dim] that a step reads as past and writes as
/// present. Host memory, reserved by shape; the operating system commits a page when it is first written.
/// </summary>
internal sealed unsafe class KvCache : IDisposable
{
    private readonly int _elementBytes;
    private readonly GraphSignature _graph;
    private readonly byte*[] _buffers;

    public KvCache(GraphSignature graph)
    {
        _graph = graph;
        _elementBytes = graph.KvElementBytes;
        _buffers = new byte*[graph.KvInputs.Count];
    }

    public KvShape Shape { get; private set; }

    private long HeadBytes => (long)Shape.Length * _graph.HeadSize * _elementBytes;

    private long SlotBytes => HeadBytes * _graph.KvHeads;

    /// <summary>Takes a new shape and copies <paramref name="rows"/> from the old one. Throws <see cref="OutOfMemoryException"/> and changes nothing if it can't.</summary>
    public void Resize(KvShape shape, IReadOnlyList<SlotMove> rows)
    {
        var old = new KvCache(_graph) { Shape = Shape };
        _buffers.CopyTo(old._buffers, 0);
        var fresh = new byte*[_buffers.Length];
        var headBytes = (long)shape.Length * _graph.HeadSize * _elementBytes;
        try
        {
            for (var i = 0; i < fresh.Length; i++)
                fresh[i] = (byte*)NativeMemory.AlignedAlloc(checked((nuint)(headBytes * _graph.KvHeads * shape.Slots)), 64);
        }
        catch (OutOfMemoryException)
        {
            foreach (var buffer in fresh) NativeMemory.AlignedFree(buffer);
            throw;
        }

        fresh.CopyTo(_buffers, 0);
        Shape = shape;
        foreach (var row in rows) CopyHeads(old, row.From, this, row.To, row.Length);
        old.Dispose();
    }

    public void Move(SlotMove move) => CopyHeads(this, move.From, this, move.To, move.Length);

    /// <summary>Copies a slot's first tokens out: per buffer its heads, tight.</summary>
    public byte[][] Save(int slot, int length)
    {
        var tight = length * _graph.HeadSize * _elementBytes;
        var saved = new byte[_buffers.Length][];
        for (var i = 0; i < _buffers.Length; i++)
        {
            saved[i] = new byte[checked(tight * _graph.KvHeads)];
            for (var head = 0; head < _graph.KvHeads; head++)
                new ReadOnlySpan<byte>(Head(i, slot, head), tight).CopyTo(saved[i].AsSpan(head * tight));
        }

        return saved;
    }

    public void Restore(byte[][] saved, int slot)
    {
        for (var i = 0; i < _buffers.Length; i++)
        {
            var tight = saved[i].Length / _graph.KvHeads;
            for (var head = 0; head < _graph.KvHeads; head++)
                saved[i].AsSpan(head * tight, tight).CopyTo(new Span<byte>(Head(i, slot, head), tight));
        }
    }

    /// <summary>Buffer i's slots [first, first + count) as a tensor over the same memory. The caller disposes it, at the latest before a resize.</summary>
    public OrtValue View(int buffer, int first, int count) => OrtValue.CreateTensorValueWithData(
        OrtMemoryInfo.DefaultInstance,
        _graph.KvType,
        [count, _graph.KvHeads, Shape.Length, _graph.HeadSize],
        (nint)(_buffers[buffer] + (first * SlotBytes)),
        count * SlotBytes);

    public void Dispose()
    {
        for (var i = 0; i < _buffers.Length; i++)
        {
            NativeMemory.AlignedFree(_buffers[i]);
            _buffers[i] = null;
        }
    }

    private static void CopyHeads(KvCache source, int from, KvCache target, int to, int length)
    {
        var bytes = (long)length * source._graph.HeadSize * source._elementBytes;
        for (var i = 0; i < source._buffers.Length; i++)
        {
            for (var head = 0; head < source._graph.KvHeads; head++)
                Buffer.MemoryCopy(source.Head(i, from, head), target.Head(i, to, head), bytes, bytes);
        }
    }

    private byte* Head(int buffer, int slot, int head) => _buffers[buffer] + (slot * SlotBytes) + (head * HeadBytes);
}
