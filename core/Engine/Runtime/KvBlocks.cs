using R1Serverless.Engine.Devices;
using R1Serverless.Scheduling.Prefixes;

namespace R1Serverless.Engine.Runtime;

/// <summary>
/// Keys and values of shared prefixes, outside the slots: blocks of <see cref="PrefixTree.BlockTokens"/> tokens, of each layer and kind
/// [kv_heads, block, head_dim]. Memory is taken for some blocks at once, and given back when none of them is used. Owns its memory.
/// </summary>
internal sealed class KvBlocks(GraphSignature graph, KvMemory memory) : IDisposable
{
    private const int SegmentBlocks = 32;

    private readonly Dictionary<int, Segment> _segments = [];

    private long PieceBytes => (long)PrefixTree.BlockTokens * graph.HeadSize * graph.KvElementBytes;

    private long BlockBytes => PieceBytes * graph.KvHeads;

    /// <summary>A block's heads in a buffer. Takes memory where the block is new.</summary>
    /// <exception cref="DeviceMemoryException">There is not that much.</exception>
    public Pieces Take(int buffer, int block)
    {
        if (!_segments.TryGetValue(block / SegmentBlocks, out var segment))
            _segments.Add(block / SegmentBlocks, segment = new Segment(Allocate()));
        segment.Used.Add(block);
        return new Pieces(segment.Buffers[buffer] + (nint)(block % SegmentBlocks * BlockBytes), PieceBytes);
    }

    /// <summary>What the blocks hold is not needed any more.</summary>
    public void Drop(IReadOnlyList<int> blocks)
    {
        foreach (var block in blocks)
        {
            if (!_segments.TryGetValue(block / SegmentBlocks, out var segment) || !segment.Used.Remove(block) || segment.Used.Count > 0) continue;
            _segments.Remove(block / SegmentBlocks);
            Free(segment.Buffers);
        }
    }

    public void Dispose()
    {
        foreach (var segment in _segments.Values) Free(segment.Buffers);
        _segments.Clear();
    }

    private nint[] Allocate()
    {
        var buffers = new nint[graph.KvInputs.Count];
        try
        {
            for (var i = 0; i < buffers.Length; i++) buffers[i] = memory.Allocate(BlockBytes * SegmentBlocks);
            return buffers;
        }
        catch
        {
            Free(buffers);
            throw;
        }
    }

    private void Free(nint[] buffers)
    {
        foreach (var buffer in buffers) memory.Free(buffer);
    }

    private sealed record Segment(nint[] Buffers)
    {
        public HashSet<int> Used { get; } = [];
    }
}
