using R1Serverless.Abstractions.Telemetry;
using R1Serverless.Engine.Runtime;
using R1Serverless.Scheduling;
using R1Serverless.Scheduling.Prefixes;

namespace R1Serverless.Engine.Steps;

/// <summary>Carries out what the scheduler decides about prefixes. Used by the engine's thread only.</summary>
/// <param name="saved">What is kept on the disk; null for nothing.</param>
internal sealed class PrefixSteps(IModelRunner runner, SharedPrefixes prefixes, string model, TimeProvider time, SavedPrefixes? saved)
{
    /// <summary>Blocks that have made room for a prompt on its way: it takes them over with their memory, which is dear to touch anew.</summary>
    private readonly HashSet<int> _spare = [];

    /// <summary>Puts what is kept of a prompt into its slot; nothing for no tokens.</summary>
    public StepOutcome Attach(ScheduledSequence sequence, int slot, int tokens)
    {
        if (tokens == 0) return StepOutcome.Completed;
        var began = time.GetTimestamp();
        var outcome = runner.Attach(slot, prefixes.Use(sequence, tokens), out var mapped);
        Instruments.OnPrefixAttached(model, time.GetElapsedTime(began));
        if (outcome.Result == StepResult.Completed) prefixes.OnAttached(sequence, tokens, mapped);
        return outcome;
    }

    /// <summary>Runs a chunk of a prompt behind what is attached; where it can be, straight into the blocks that are kept.</summary>
    public StepOutcome Prefill(StepPlan.PrefillChunk chunk)
    {
        var sequence = chunk.Sequence;
        var attached = Attach(sequence, chunk.Slot, chunk.Shared);
        if (attached.Result != StepResult.Completed) return attached;
        var tokens = sequence.Prompt.Slice(chunk.Start, chunk.Count);
        var blocks = prefixes.Reserve(sequence, chunk.Start, chunk.Start + chunk.Count);
        if (blocks.Count == 0) return runner.PrefillChunk(chunk.Slot, chunk.Start, tokens);
        Reuse(blocks);
        var outcome = runner.PrefillChunk(chunk.Slot, chunk.Start, tokens, blocks, out var mapped);
        if (mapped > 0) prefixes.OnAttached(sequence, blocks[^1].Start + PrefixTree.BlockTokens, mapped);
        else runner.Drop(prefixes.Withdraw(sequence, blocks[0].Start));
        return outcome;
    }

    /// <summary>Keeps what of a prompt has been computed, for those that begin like it. Without the memory for it nothing is kept.</summary>
    public void Publish(ScheduledSequence sequence)
    {
        if (prefixes.KeepsAll(sequence)) return;
        if (prefixes.ReleaseSlots(sequence) is { Count: > 0 } slots) runner.Release(slots);
        var blocks = prefixes.Publish(sequence, out var dropped);
        Reuse(blocks);
        Drop(dropped);
        if (blocks.Count == 0) return;
        if (runner.Publish(sequence.Slot, blocks).Result != StepResult.Completed)
        {
            // What is in them is nothing that may be saved as they leave.
            runner.Drop(prefixes.Withdraw(sequence, blocks[0].Start));
            Trim(0);
        }
        else if (prefixes.Free < 0) Attach(sequence, sequence.Slot, prefixes.OwnBlocks(sequence));
    }

    /// <summary>Prompts whose beginning another has just attached need no copy of their own.</summary>
    public void ShareCopies(ScheduledSequence attached, int tokens)
    {
        foreach (var (other, length) in prefixes.Copies(attached, tokens)) Attach(other, other.Slot, length);
    }

    /// <summary>Whether some of a waiting prompt is on the disk, and comes from there sooner than it is computed.</summary>
    public bool MayRecall(ScheduledSequence sequence) => saved is not null && sequence.PrefixSalt is not null && saved.IsSooner
        && saved.Known(sequence, prefixes.Match(sequence)) > prefixes.Match(sequence);

    /// <summary>Takes some of a waiting prompt from the disk.</summary>
    /// <param name="reached">Tokens that were taken from there before. Where some of them had to make room, no more are taken: they would have to
    /// again.</param>
    /// <returns>The same afterwards; null where there is no more to take.</returns>
    public int? Recall(ScheduledSequence sequence, int reached)
    {
        var start = prefixes.Match(sequence);
        var length = Math.Min(saved!.Known(sequence, start), start + PrefillRules.ChunkTokens);
        if (length <= start || start < reached) return null;
        var began = time.GetTimestamp();
        var blocks = prefixes.Recall(sequence, length, out var dropped);
        Reuse(blocks);
        Drop(dropped);
        var filled = saved.Fill(sequence, blocks);
        if (filled < blocks.Count) runner.Drop(prefixes.Withdraw(sequence, blocks[filled].Start));
        if (filled == 0) return null;
        saved.OnRecalled(filled * PrefixTree.BlockTokens, time.GetElapsedTime(began));
        return filled * PrefixTree.BlockTokens == length - start ? length : null;
    }

    /// <summary>So many tokens of a prompt were computed.</summary>
    public void OnPrefilled(int tokens, TimeSpan elapsed) => saved?.OnPrefilled(tokens, elapsed);

    /// <summary>Saves a block that was not yet.</summary>
    /// <returns>False where there is none.</returns>
    public bool SaveOne()
    {
        if (saved is null || prefixes.TakeNew() is not { } block) return false;
        saved.SaveNew(block);
        return true;
    }

    /// <summary>Keeps no more than so many blocks, and those that are in use.</summary>
    public void Trim(int blocks)
    {
        var dropped = prefixes.Trim(blocks);
        Count(dropped);
        _spare.UnionWith(dropped);
    }

    /// <summary>Gives back the memory of blocks that made room, but for what the prompt on its way will take.</summary>
    public void GiveBack(ScheduledSequence? prefilling)
    {
        if (_spare.Count == 0) return;
        var kept = prefilling is null ? 0 : (prefilling.PromptLength - prefilling.CachedLength) / PrefixTree.BlockTokens;
        if (_spare.Count <= kept) return;
        int[] dropped = [.. _spare.Order().Skip(kept)];
        _spare.ExceptWith(dropped);
        runner.Drop(dropped);
    }

    private void Reuse(IReadOnlyList<PrefixBlock> blocks) => _spare.ExceptWith(blocks.Select(block => block.Block));

    private void Drop(IReadOnlyList<int> blocks)
    {
        if (blocks.Count == 0) return;
        runner.Drop(blocks);
        Count(blocks);
    }

    private void Count(IReadOnlyList<int> dropped)
    {
        if (dropped.Count > 0) Instruments.OnPrefixEvicted(model, dropped.Count * PrefixTree.BlockTokens);
    }
}
