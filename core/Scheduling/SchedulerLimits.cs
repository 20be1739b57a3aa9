namespace R1Serverless.Scheduling;

/// <param name="ContextLength">Tokens one sequence may have.</param>
/// <param name="KvTokens">Tokens that fit into the memory for keys and values, over all slots.</param>
/// <param name="StepTime">The longest a decode step should take; see <see cref="TokenBudget"/>.</param>
public sealed record SchedulerLimits(int ContextLength, long KvTokens, TimeSpan StepTime)
{
    /// <summary>Whether a slot takes memory only as tokens are written into it; else for its whole length at once.</summary>
    public bool TakesMemoryLazily { get; init; }

    /// <summary>Whether a prefix that is kept lies in a slot without taking memory there; else it is copied. Only where memory is taken
    /// lazily.</summary>
    public bool MapsPrefixes { get; init; }

    /// <summary>Tokens of the longest slot there can be.</summary>
    public int MaxSlotLength => (int)Math.Min(ContextLength, KvTokens);
}
