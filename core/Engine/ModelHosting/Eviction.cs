namespace R1Serverless.Engine.ModelHosting;

/// <summary>Which idle variants leave so that another fits: the least recently used first, no more than needed.</summary>
internal static class Eviction
{
    /// <summary>The variants to unload, none where there is room; null where not even all idle ones would make enough of it.</summary>
    /// <param name="hosted">All variants; only those that take memory count.</param>
    /// <param name="needed">Bytes of the newcomer.</param>
    /// <param name="budget">Bytes for all together.</param>
    /// <param name="staying">Those that don't leave, idle or not.</param>
    public static IReadOnlyList<HostedVariant>? Choose(IEnumerable<HostedVariant> hosted, long needed, long budget,
        IReadOnlyCollection<HostedVariant>? staying = null)
    {
        HostedVariant[] resident = [.. hosted.Where(one => one.TakesMemory)];
        // What is free, below zero where the budget was passed.
        var free = budget - resident.Sum(one => one.MemoryBytes);
        List<HostedVariant> leaving = [];
        foreach (var idle in resident.Where(one => one.IsIdle && staying?.Contains(one) != true).OrderBy(one => one.LastUse))
        {
            if (free >= needed) break;
            leaving.Add(idle);
            free += idle.MemoryBytes;
        }

        return free >= needed ? leaving : null;
    }
}
