using R1Serverless.Scheduling.Prefixes;

namespace R1Serverless.Scheduling;

/// <summary>What of a prompt is taken from those before it, and how much memory may hold it: what the slots have never touched.</summary>
/// <param name="limits">Of all slots and what is kept.</param>
/// <param name="slots">Who is in them.</param>
/// <param name="isOn">False: nothing is kept, and nobody shares.</param>
public sealed class SharedPrefixes(SchedulerLimits limits, RunningSlots slots, bool isOn)
{
    private readonly PrefixTree _tree = new();

    /// <summary>Blocks that are kept.</summary>
    public int Blocks => _tree.Count;

    /// <summary>The tokens of a waiting prompt that need not be computed.</summary>
    public int Match(ScheduledSequence sequence)
    {
        if (!isOn || sequence.PrefixSalt is not { } salt) return 0;
        if (sequence.MatchVersion == _tree.Version) return sequence.MatchLength;
        sequence.MatchVersion = _tree.Version;
        return sequence.MatchLength = _tree.Match(salt, sequence.Prompt.Span);
    }

    /// <summary>Whether to wait for another prompt on its way, since it computes what this one needs.</summary>
    public bool WaitsFor(ScheduledSequence sequence, ScheduledSequence other) =>
        isOn && sequence.PrefixSalt is { } salt && salt == other.PrefixSalt && PrefixTree.Shareable(sequence.PromptLength) > Match(sequence)
        && Math.Min(PrefixTree.Shareable(sequence.PromptLength), PrefixTree.Common(sequence.Prompt.Span, other.Prompt.Span)) > Match(sequence);

    /// <summary>The blocks with a prompt's first tokens.</summary>
    public IReadOnlyList<int> Use(ScheduledSequence sequence, int length) => _tree.Use(sequence.PrefixSalt!, sequence.Prompt.Span, length);

    /// <summary>Keeps what of a prompt is in its slot; the caller fills the blocks.</summary>
    public IReadOnlyList<PrefixBlock> Publish(ScheduledSequence sequence) =>
        isOn && sequence.PrefixSalt is { } salt
        ? _tree.Publish(salt, sequence.Prompt.Span, Math.Min(sequence.CachedLength, sequence.PromptLength), Room(slots.Touched, slots.Shape.Length))
        : [];

    /// <summary>Slots whose memory must be given back for a prompt to be kept; empty where there is room, or where they are in use.</summary>
    public IReadOnlyList<int> ReleaseSlots(ScheduledSequence sequence) =>
        isOn && sequence.PrefixSalt is not null
            && _tree.Count + (sequence.PromptLength / PrefixTree.BlockTokens) > Room(slots.Touched, slots.Shape.Length) ? slots.Release() : [];

    /// <summary>What must be dropped before so many rows of that length may be touched; null for nothing.</summary>
    public StepPlan.TrimPrefixes? Before(int rows, int length) => Room(rows, length) is var room && _tree.Count > room ? new(room) : null;

    /// <returns>The dropped blocks.</returns>
    public IReadOnlyList<int> Trim(int most) => _tree.Trim(most);

    private int Room(int rows, int length) => (int)Math.Clamp((limits.KvTokens - ((long)rows * length)) / PrefixTree.BlockTokens, 0, int.MaxValue);
}
