using R1Serverless.Scheduling.Prefixes;

namespace R1Serverless.Scheduling;

/// <summary>What must hold between two turns. The engine's tests check it after every step.</summary>
internal static class SchedulerInvariants
{
    /// <exception cref="InvalidOperationException">Says which rule is broken.</exception>
    public static void Check(Scheduler scheduler, SchedulerLimits limits)
    {
        var (slots, length) = scheduler.Shape;
        Require(limits.TakesMemoryLazily || (long)slots * length <= limits.KvTokens || slots == 1,
            $"{slots} slots of {length} tokens exceed {limits.KvTokens}");
        var kept = (long)scheduler.Prefixes.Blocks * PrefixTree.BlockTokens;
        Require(kept == scheduler.Memory.Kept, $"{kept} tokens of prefixes are counted as {scheduler.Memory.Kept}");
        Require((kept == 0 && !limits.TakesMemoryLazily) || kept + scheduler.Memory.Tokens <= limits.KvTokens,
            $"{kept} tokens of prefixes and {scheduler.Memory.Tokens} of slots exceed {limits.KvTokens}");
        for (var slot = 0; slot < scheduler.Running.Count; slot++)
        {
            var sequence = scheduler.Running[slot];
            Require(sequence.Slot == slot, $"row {slot} believes it is in slot {sequence.Slot}");
            Require(sequence.Status == SequenceStatus.Running, $"row {slot} is {sequence.Status}");
            Require(sequence.CachedLength >= sequence.PromptLength,
                $"row {slot} runs with {sequence.CachedLength} of {sequence.PromptLength} prompt tokens");
            Require(sequence.CachedLength <= length, $"row {slot} holds {sequence.CachedLength} tokens in a slot of {length}");
        }

        Require(scheduler.Running.Select(s => s.Number).Distinct().Count() == scheduler.Running.Count, "a sequence runs twice");
        if (scheduler.Prefilling is not { } prefilling) return;
        Require(prefilling.Status == SequenceStatus.Prefilling, $"the top slot's sequence is {prefilling.Status}");
        Require(prefilling.Slot == slots - 1, $"the long prompt is in slot {prefilling.Slot} of {slots}");
        Require(scheduler.Running.Count < slots, "the rows reach into the top slot");
        Require(prefilling.PromptLength + 1 <= length, "the long prompt does not fit its slot");
    }

    private static void Require(bool holds, string otherwise)
    {
        if (!holds) throw new InvalidOperationException($"Scheduler invariant broken: {otherwise}.");
    }
}
