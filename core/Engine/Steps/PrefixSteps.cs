using R1Serverless.Abstractions.Telemetry;
using R1Serverless.Engine.Runtime;
using R1Serverless.Scheduling;
using R1Serverless.Scheduling.Prefixes;

namespace R1Serverless.Engine.Steps;

/// <summary>Carries out what the scheduler decides about prefixes. Used by the engine's thread only.</summary>
internal sealed class PrefixSteps(IModelRunner runner, SharedPrefixes prefixes, string model, TimeProvider time)
{
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

    /// <summary>Keeps what of a prompt has been computed, for those that begin like it. Without the memory for it nothing is kept.</summary>
    public void Publish(ScheduledSequence sequence)
    {
        if (prefixes.ReleaseSlots(sequence) is { Count: > 0 } slots) runner.Release(slots);
        var blocks = prefixes.Publish(sequence, out var dropped);
        Drop(dropped);
        if (blocks.Count == 0) return;
        if (runner.Publish(sequence.Slot, blocks).Result != StepResult.Completed) Trim(0);
        else if (prefixes.Free < 0) Attach(sequence, sequence.Slot, prefixes.OwnBlocks(sequence));
    }

    /// <summary>Prompts whose beginning another has just attached need no copy of their own.</summary>
    public void ShareCopies(ScheduledSequence attached, int tokens)
    {
        foreach (var (other, length) in prefixes.Copies(attached, tokens)) Attach(other, other.Slot, length);
    }

    /// <summary>Keeps no more than so many blocks, and those that are in use.</summary>
    public void Trim(int blocks) => Drop(prefixes.Trim(blocks));

    private void Drop(IReadOnlyList<int> blocks)
    {
        if (blocks.Count == 0) return;
        runner.Drop(blocks);
        Instruments.OnPrefixEvicted(model, blocks.Count * PrefixTree.BlockTokens);
    }
}
