using Microsoft.Win32.SafeHandles;
using R1Serverless.Engine.Devices;
using R1Serverless.Scheduling.Prefixes;

namespace R1Serverless.Engine.Runtime;

/// <summary>
/// Keys and values of shared prefixes, outside the slots: blocks of <see cref="PrefixTree.BlockTokens"/> tokens. Memory is taken for a segment of
/// blocks at once: of each layer and kind [kv_heads, blocks, tokens, head_dim], so that blocks with numbers in a row lie in a row. On Linux the
/// segments are parts of a file in memory, whose pages can be mapped into slots as well. Owns its memory.
/// </summary>
internal sealed class KvBlocks : IDisposable
{
    public const int SegmentBlocks = 32;

    /// <summary>Blocks of smaller pieces are not mapped.</summary>
    private const int MostBlocksOfPage = 8;

    private readonly Dictionary<int, Segment> _segments = [];
    private readonly GraphSignature _graph;
    private readonly KvMemory _memory;
    private readonly SafeFileHandle? _file;

    public KvBlocks(GraphSignature graph, KvMemory memory)
    {
        (_graph, _memory) = (graph, memory);
        var blocks = 1;
        while (blocks <= MostBlocksOfPage && blocks * PieceBytes % LinuxMemory.Page != 0) blocks *= 2;
        if (memory.IsLazy && blocks <= MostBlocksOfPage) _file = LinuxMemory.CreateFile();
        PageBlocks = blocks;
    }

    /// <summary>Whether blocks can be mapped.</summary>
    public bool CanMap => _file is not null;

    /// <summary>Blocks in a row whose pieces are whole pages.</summary>
    public int PageBlocks { get; }

    /// <summary>Of one head's keys or values of a block.</summary>
    public long PieceBytes => (long)PrefixTree.BlockTokens * _graph.HeadSize * _graph.KvElementBytes;

    private long BufferBytes => PieceBytes * SegmentBlocks * _graph.KvHeads;

    private long SegmentBytes => BufferBytes * _graph.KvInputs.Count;

    /// <summary>A block's heads in a buffer. Takes memory where the block is new.</summary>
    /// <exception cref="DeviceMemoryException">There is not that much.</exception>
    public Pieces Take(int buffer, int block)
    {
        if (!_segments.TryGetValue(block / SegmentBlocks, out var segment))
            _segments.Add(block / SegmentBlocks, segment = Allocate(block / SegmentBlocks));
        segment.Used.Add(block);
        return new Pieces(segment.Buffers[buffer] + (nint)(block % SegmentBlocks * PieceBytes), PieceBytes * SegmentBlocks);
    }

    /// <summary>Maps blocks with numbers in a row, of one segment, over a head's tokens in a buffer.</summary>
    /// <param name="first">A multiple of <see cref="PageBlocks"/>, as is <paramref name="count"/>.</param>
    /// <param name="isShared">Whether what is written there is written into the blocks; else it is the reader's own.</param>
    /// <returns>False where the process may have no more maps.</returns>
    public bool TryMap(int buffer, int head, int first, int count, nint at, bool isShared = false)
    {
        var offset = (first / SegmentBlocks * SegmentBytes) + (buffer * BufferBytes)
            + (((head * SegmentBlocks) + (first % SegmentBlocks)) * PieceBytes);
        return LinuxMemory.TryMap(at, count * PieceBytes, _file!, offset, isShared);
    }

    /// <summary>Takes memory for new blocks.</summary>
    /// <returns>False where there is not that much.</returns>
    public bool TryTake(IReadOnlyList<PrefixBlock> blocks)
    {
        try
        {
            foreach (var block in blocks) Take(0, block.Block);
            return true;
        }
        catch (DeviceMemoryException)
        {
            return false;
        }
    }

    /// <summary>What the blocks hold is not needed any more.</summary>
    public void Drop(IReadOnlyList<int> blocks)
    {
        foreach (var block in blocks)
        {
            if (!_segments.TryGetValue(block / SegmentBlocks, out var segment) || !segment.Used.Remove(block)) continue;
            if (segment.Used.Count == 0)
            {
                _segments.Remove(block / SegmentBlocks);
                Free(segment, block / SegmentBlocks);
            }
            else if (_file is not null)
            {
                Punch(segment, block);
            }
        }
    }

    public void Dispose()
    {
        foreach (var (number, segment) in _segments) Free(segment, number);
        _segments.Clear();
        _file?.Dispose();
    }

    /// <summary>Gives back the pages that a block had to itself, or with others that are not used either.</summary>
    private void Punch(Segment segment, int block)
    {
        var first = block / PageBlocks * PageBlocks;
        if (Enumerable.Range(first, PageBlocks).Any(segment.Used.Contains)) return;
        var offset = (block / SegmentBlocks * SegmentBytes) + (first % SegmentBlocks * PieceBytes);
        for (var piece = 0; piece < _graph.KvInputs.Count * _graph.KvHeads; piece++)
            LinuxMemory.Punch(_file!, offset + (piece * SegmentBlocks * PieceBytes), PageBlocks * PieceBytes);
    }

    private Segment Allocate(int number)
    {
        var buffers = new nint[_graph.KvInputs.Count];
        if (_file is not null)
        {
            var end = (number + 1) * SegmentBytes;
            if (RandomAccess.GetLength(_file) < end) RandomAccess.SetLength(_file, end);
            var view = LinuxMemory.View(_file, number * SegmentBytes, SegmentBytes);
            for (var i = 0; i < buffers.Length; i++) buffers[i] = view + (nint)(i * BufferBytes);
            return new Segment(buffers);
        }

        try
        {
            for (var i = 0; i < buffers.Length; i++) buffers[i] = _memory.Allocate(BufferBytes);
            return new Segment(buffers);
        }
        catch
        {
            foreach (var buffer in buffers) _memory.Free(buffer);
            throw;
        }
    }

    private void Free(Segment segment, int number)
    {
        if (_file is null)
        {
            foreach (var buffer in segment.Buffers) _memory.Free(buffer);
            return;
        }

        LinuxMemory.Free(segment.Buffers[0], SegmentBytes);
        LinuxMemory.Punch(_file, number * SegmentBytes, SegmentBytes);
    }

    private sealed record Segment(nint[] Buffers)
    {
        public HashSet<int> Used { get; } = [];
    }
}
