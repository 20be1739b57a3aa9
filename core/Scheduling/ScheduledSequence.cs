using R1Serverless.Scheduling.Prefixes;

namespace R1Serverless.Scheduling;

/// <summary>What the scheduler knows of a sequence. Only the scheduler changes it, on the engine's thread.</summary>
public abstract class ScheduledSequence
{
    /// <summary>Order of arrival: the younger is preempted first.</summary>
    public required long Number { get; init; }

    /// <summary>Tokens of the prompt, at least 1.</summary>
    public required int PromptLength { get; init; }

    /// <summary>The prompt's token ids; the scheduler reads them only where <see cref="PrefixSalt"/> is given.</summary>
    public ReadOnlyMemory<int> Prompt { get; init; }

    /// <summary>Shares the beginning of its prompt with those of the same salt; null with nobody.</summary>
    public string? PrefixSalt { get; init; }

    /// <summary>Tokens of the prompt whose keys and values were taken from another's.</summary>
    public int SharedLength { get; internal set; }

    /// <summary>Tokens in its slot that take no memory there, since they lie in what is kept.</summary>
    public int AttachedLength { get; internal set; }

    /// <summary>The blocks with those tokens.</summary>
    internal HeldPrefix? Held { get; set; }

    /// <summary>What <see cref="SharedPrefixes.Match"/> found last, and when.</summary>
    internal int MatchLength { get; set; }

    internal int MatchVersion { get; set; } = -1;

    public SequenceStatus Status { get; internal set; } = SequenceStatus.Waiting;

    /// <summary>Tokens whose keys and values are in the slot.</summary>
    public int CachedLength { get; internal set; }

    /// <summary>The slot, or -1 without one.</summary>
    public int Slot { get; internal set; } = -1;

    /// <summary>Whether the prompt is prefilled alone, chunk by chunk.</summary>
    public bool IsLong => PromptLength > PrefillRules.ChunkTokens;
}

public enum SequenceStatus
{
    Waiting,

    /// <summary>A long prompt, partly prefilled, in the top slot.</summary>
    Prefilling,
    Running,

    /// <summary>Back to waiting with its keys and values saved outside the slots.</summary>
    Preempted,
    Finished,
}
