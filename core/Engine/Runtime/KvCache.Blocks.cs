using R1Serverless.Scheduling.Prefixes;

namespace R1Serverless.Engine.Runtime;

/// <content>Published blocks: copied from slots, computed in their place, read and written.</content>
internal sealed partial class KvCache
{
    /// <summary>Copies a block of a slot's tokens out.</summary>
    public void Publish(int slot, PrefixBlock block)
    {
        for (var i = 0; i < _buffers.Length; i++)
            memory.Copy(At(Heads(i, slot), block.Start), _blocks.Take(i, block.Block), PrefixTree.BlockTokens * TokenBytes, graph.KvHeads);
    }

    /// <summary>Lays new blocks themselves under a slot's tokens: what is written there from now on is in the blocks.</summary>
    /// <param name="from">The slot's tokens before it stay.</param>
    /// <returns>False where that can't be, and nothing is changed.</returns>
    public bool Open(int slot, int from, IReadOnlyList<PrefixBlock> blocks)
    {
        Write(slot, from);
        if (!_blocks.CanMap || _blocks.PageBlocks > 1 || HeadBytes % LinuxMemory.Page != 0 || !_mapped.MayAdd() || !_blocks.TryTake(blocks))
            return false;
        if (Lay(slot, blocks, isShared: true)) return true;
        Clear(slot, blocks);
        return false;
    }

    /// <summary>What was opened is written: from now on, what is written there is the slot's own.</summary>
    /// <param name="isComputed">False: nothing of it is needed.</param>
    /// <returns>Tokens that are mapped in the slot; 0 where the blocks are not to be used.</returns>
    public int Close(int slot, IReadOnlyList<PrefixBlock> blocks, bool isComputed)
    {
        if (!isComputed)
        {
            Clear(slot, blocks);
            return 0;
        }

        if (!Lay(slot, blocks, isShared: false))
        {
            // What is in the blocks stays where the slot reads it.
            Clear(slot, blocks);
            foreach (var block in blocks)
            {
                for (var i = 0; i < _buffers.Length; i++)
                    memory.Copy(_blocks.Take(i, block.Block), At(Heads(i, slot), block.Start), PrefixTree.BlockTokens * TokenBytes, graph.KvHeads);
            }

            return 0;
        }

        var there = _mapped.Of(slot);
        var mapped = Enumerable.Repeat(-1, (blocks[^1].Start / PrefixTree.BlockTokens) + 1).ToArray();
        there.CopyTo(mapped, 0);
        foreach (var block in blocks) mapped[block.Start / PrefixTree.BlockTokens] = block.Block;
        _mapped.Set(slot, mapped);
        return mapped.Count(block => block >= 0) * PrefixTree.BlockTokens;
    }

    /// <summary>Copies a block out: per buffer its heads, tight.</summary>
    public void ReadBlock(int block, byte[] to)
    {
        var piece = new byte[to.Length / _buffers.Length];
        for (var i = 0; i < _buffers.Length; i++)
        {
            memory.Read(_blocks.Take(i, block), piece, graph.KvHeads);
            piece.CopyTo(to, i * piece.Length);
        }
    }

    /// <summary>Copies a block in.</summary>
    public void WriteBlock(int block, byte[] from)
    {
        var size = from.Length / _buffers.Length;
        for (var i = 0; i < _buffers.Length; i++)
            memory.Write(from.AsSpan(i * size, size).ToArray(), _blocks.Take(i, block), graph.KvHeads, skip: 0);
    }

    /// <summary>Published blocks are not needed any more.</summary>
    public void Drop(IReadOnlyList<int> blocks) => _blocks.Drop(blocks);

    /// <summary>Maps blocks over a slot's tokens.</summary>
    /// <param name="isShared">Whether what is written is in the blocks; else it is the slot's own.</param>
    /// <returns>False where the process may have no more maps; some may be mapped then.</returns>
    private bool Lay(int slot, IReadOnlyList<PrefixBlock> blocks, bool isShared)
    {
        for (var first = 0; first < blocks.Count;)
        {
            var end = first + 1;
            while (end < blocks.Count && blocks[end].Block == blocks[end - 1].Block + 1 && blocks[end].Block % KvBlocks.SegmentBlocks != 0) end++;
            for (var i = 0; i < _buffers.Length; i++)
            {
                var heads = At(Heads(i, slot), blocks[first].Start);
                for (var head = 0; head < graph.KvHeads; head++)
                {
                    if (!_blocks.TryMap(i, head, blocks[first].Block, end - first, heads[head], isShared)) return false;
                }
            }

            first = end;
        }

        return true;
    }

    /// <summary>Makes the tokens of blocks in a slot memory of its own, with nothing in it.</summary>
    private void Clear(int slot, IReadOnlyList<PrefixBlock> blocks)
    {
        var (start, bytes) = (blocks[0].Start, (blocks[^1].Start - blocks[0].Start + PrefixTree.BlockTokens) * TokenBytes);
        for (var i = 0; i < _buffers.Length; i++)
        {
            var heads = At(Heads(i, slot), start);
            for (var head = 0; head < graph.KvHeads; head++)
            {
                if (LinuxMemory.TryRenew(heads[head], bytes)) continue;
                // The next prompt in the slot would be written into what others read.
                Environment.FailFast("The process has so many memory maps that a slot can't be taken off the blocks it was computed in.");
            }
        }
    }
}
