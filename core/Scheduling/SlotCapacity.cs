namespace R1Serverless.Scheduling;

/// <summary>How many rows of which length may run: by the memory for keys and values, the learnt budget, and what running out of memory has
/// taught.</summary>
public sealed class SlotCapacity(SchedulerLimits limits, TokenBudget budget, MemoryPressure pressure)
{
    /// <summary>Slots that take memory only as they fill, and share prefixes, may have so much more addresses than memory.</summary>
    private const int Overcommitment = 16;

    private long _kvTokens = limits.KvTokens;

    /// <inheritdoc cref="SchedulerLimits.TakesMemoryLazily"/>
    public bool TakesMemoryLazily => limits.TakesMemoryLazily;

    /// <summary>Tokens of the longest slot there can be.</summary>
    public int MaxSlotLength => limits.MaxSlotLength;

    /// <summary>Rows of a step whose longest row has <paramref name="longest"/> tokens.</summary>
    public int RowsAt(int longest) => Math.Min(budget.RowsAt(longest), pressure.RowLimit);

    public KvShape ShapeFor(int length)
    {
        var bucket = LengthBuckets.For(length, limits.MaxSlotLength);
        var tokens = limits.TakesMemoryLazily ? _kvTokens * Overcommitment : _kvTokens;
        // One slot more than rows may run: the top slot, for a long prompt on its way.
        return new KvShape((int)Math.Clamp(tokens / bucket, 1, TokenBudget.MaxRows + 1), bucket);
    }

    /// <summary>Half the slots of a shape that the device's memory did not hold, but not fewer than are needed.</summary>
    public void ShrinkBelow(KvShape shape, int needed) => _kvTokens = (long)Math.Max(needed, shape.Slots / 2) * shape.Length;

    /// <summary>Nothing is in the slots any more: everything may be tried again.</summary>
    public void Reset() => _kvTokens = limits.KvTokens;
}
