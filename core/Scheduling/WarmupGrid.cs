namespace R1Serverless.Scheduling;

/// <summary>A dummy run: prompts from empty, or one decode step.</summary>
/// <param name="IsPrefill">Else a decode step.</param>
/// <param name="Rows">Sequences at once.</param>
/// <param name="Tokens">Of each prompt; 0 for a decode step, which then follows nothing: what an unused slot holds must not be read.</param>
public readonly record struct WarmupShape(bool IsPrefill, int Rows, int Tokens)
{
    /// <summary>Tokens that the model computes: what a run costs.</summary>
    public int Work => IsPrefill ? Rows * Tokens : Rows;
}

/// <summary>The shapes that the scheduler will use, thinned to powers of two: prompts alone and together up to a chunk, decode steps up to as many
/// rows as a batch soon has.</summary>
public static class WarmupGrid
{
    /// <summary>Rows beyond these use what fewer rows have warmed.</summary>
    private const int MaxRows = 32;

    private static readonly int[] PromptLengths = [1, 16, 64, 128, 256, PrefillRules.ChunkTokens];

    /// <summary>By what they cost, the cheapest first, so that whoever stops early has the most of them.</summary>
    public static IReadOnlyList<WarmupShape> Of(SchedulerLimits limits)
    {
        var longest = Math.Max(1, limits.MaxSlotLength - 1);
        var rows = (int)Math.Clamp(limits.KvTokens / LengthBuckets.For(1, limits.MaxSlotLength), 1, MaxRows);
        List<WarmupShape> shapes = [];
        foreach (var length in PromptLengths.Select(length => Math.Min(length, longest)).Distinct()) shapes.Add(new WarmupShape(true, 1, length));
        if (rows > 1) shapes.Add(new WarmupShape(true, 2, Math.Min(16, longest)));
        for (var count = 1; count <= rows; count *= 2) shapes.Add(new WarmupShape(false, count, 0));
        return [.. shapes.OrderBy(shape => shape.Work)];
    }
}
