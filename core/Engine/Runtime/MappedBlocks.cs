namespace R1Serverless.Engine.Runtime;

/// <summary>Which blocks of prefixes are mapped at the beginnings of slots, and how many maps that takes of those that a process may have.</summary>
/// <param name="pieces">Maps of a slot for blocks in a row: one for each head in each buffer.</param>
internal sealed class MappedBlocks(int pieces)
{
    private readonly Dictionary<int, int[]> _slots = [];

    /// <summary>Half of what the process may have: the rest is for everything else in it.</summary>
    private readonly long _most = LinuxMemory.MaxMaps() / 2;

    private long _maps;

    /// <summary>Blocks from a slot's first token on, -1 where its tokens are its own.</summary>
    public int[] Of(int slot) => _slots.GetValueOrDefault(slot) ?? [];

    public void Set(int slot, int[] blocks)
    {
        _maps -= Maps(Of(slot));
        if (!blocks.Any(block => block >= 0)) blocks = [];
        if (blocks.Length == 0) _slots.Remove(slot);
        else _slots[slot] = blocks;
        _maps += Maps(blocks);
    }

    /// <summary>A slot's blocks from one on are not mapped any more, or written by its own sequence.</summary>
    public void Cut(int slot, int from)
    {
        if (Of(slot) is { Length: var length } blocks && length > from) Set(slot, blocks[..from]);
    }

    public void KeepOnly(ICollection<int> slots)
    {
        foreach (var slot in _slots.Keys.Where(slot => !slots.Contains(slot)).ToArray()) Set(slot, []);
    }

    /// <summary>Whether blocks may be mapped into one more place.</summary>
    public bool MayAdd() => _maps + (2L * pieces) <= _most;

    /// <summary>One for each row of blocks, and one for what lies behind it.</summary>
    private long Maps(int[] blocks)
    {
        var rows = 0;
        for (var i = 0; i < blocks.Length; i++)
        {
            if (blocks[i] >= 0 && (i == 0 || blocks[i] != blocks[i - 1] + 1)) rows++;
        }

        return 2L * rows * pieces;
    }
}
