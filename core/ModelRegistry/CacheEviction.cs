namespace R1Serverless.ModelRegistry;

/// <summary>
/// Which of what a cache holds leaves so that a newcomer fits: first fetches that were given up, then versions, each the least recently used first;
/// no more than needed, and nothing that is in use. A version is in use while a process has it open, a fetch while it is under way; then all that it
/// will be counts as taken from its beginning, in the budget and on the disk.
/// </summary>
internal static class CacheEviction
{
    /// <summary>What is to be removed; null where not even all unused would make enough room.</summary>
    /// <param name="cached">All versions and all fetches but the newcomer's; a file that several share takes its room once.</param>
    /// <param name="needed">The newcomer's files.</param>
    /// <param name="budget">Bytes for all together.</param>
    /// <param name="free">Bytes of the disk that are the newcomer's or nobody's, though fetches under way will take theirs of them.</param>
    public static IReadOnlyList<CachedFiles>? Choose(IReadOnlyList<CachedFiles> cached, IReadOnlyList<VersionFile> needed, long budget, long free)
    {
        var room = Math.Min(budget, Bytes(cached, []) - cached.Sum(one => one.YetToCome) + free);
        List<CachedFiles> staying = [.. cached], leaving = [];
        foreach (var unused in cached.Where(one => !one.IsInUse).OrderByDescending(one => one.IsFetch).ThenBy(one => one.LastUse))
        {
            if (Bytes(staying, needed) <= room) break;
            staying.Remove(unused);
            leaving.Add(unused);
        }

        return Bytes(staying, needed) <= room ? leaving : null;
    }

    private static long Bytes(IEnumerable<CachedFiles> cached, IReadOnlyList<VersionFile> needed) =>
        cached.SelectMany(one => one.Files).Concat(needed).DistinctBy(file => file.Sha256).Sum(file => file.Bytes);
}

/// <summary>A version in the cache, or a fetch of one, as room is counted.</summary>
/// <param name="Key">Its folder's name.</param>
/// <param name="LastUse">By the disk's clock.</param>
/// <param name="IsInUse">By any process of this machine.</param>
/// <param name="Files">Of a fetch under way, also those that are yet to come; of one that was given up, what is there.</param>
internal sealed record CachedFiles(string Key, DateTime LastUse, bool IsInUse, IReadOnlyList<VersionFile> Files)
{
    /// <summary>Not a version yet.</summary>
    public bool IsFetch { get; init; }

    /// <summary>Bytes of the files that are not on the disk yet.</summary>
    public long YetToCome { get; init; }
}
