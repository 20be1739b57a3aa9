namespace R1Serverless.Delivery;

/// <summary>Which cached versions leave so that another fits: the least recently used first, no more than needed, never one in use.</summary>
internal static class CacheRoom
{
    /// <summary>The versions to remove; null where not even all unused ones would make enough room.</summary>
    /// <param name="cached">All versions; a file that several share takes its room once.</param>
    /// <param name="needed">The newcomer's files.</param>
    /// <param name="budget">Bytes for all together.</param>
    public static IReadOnlyList<CachedFiles>? Choose(IReadOnlyList<CachedFiles> cached, IReadOnlyList<VersionFile> needed, long budget)
    {
        List<CachedFiles> staying = [.. cached], leaving = [];
        foreach (CachedFiles unused in cached.Where(one => !one.IsInUse).OrderBy(one => one.LastUse))
        {
            if (Bytes(staying, needed) <= budget) break;
            staying.Remove(unused);
            leaving.Add(unused);
        }

        return Bytes(staying, needed) <= budget ? leaving : null;
    }

    /// <summary>The least recently used versions that free so many bytes, or all unused ones.</summary>
    public static IReadOnlyList<CachedFiles> ChooseToFree(IReadOnlyList<CachedFiles> cached, long bytes)
    {
        List<CachedFiles> staying = [.. cached], leaving = [];
        foreach (CachedFiles unused in cached.Where(one => !one.IsInUse).OrderBy(one => one.LastUse))
        {
            if (Bytes(cached, []) - Bytes(staying, []) >= bytes) break;
            staying.Remove(unused);
            leaving.Add(unused);
        }

        return leaving;
    }

    /// <summary>What versions take together with a newcomer.</summary>
    public static long Bytes(IEnumerable<CachedFiles> cached, IReadOnlyList<VersionFile> needed) =>
        cached.SelectMany(one => one.Files).Concat(needed).DistinctBy(file => file.Sha256).Sum(file => file.Bytes);
}

/// <summary>A version in the cache as room is counted.</summary>
/// <param name="Key">Its folder's name.</param>
/// <param name="LastUse">By the disk's clock.</param>
/// <param name="IsInUse">By any process of this machine.</param>
internal sealed record CachedFiles(string Key, DateTime LastUse, bool IsInUse, IReadOnlyList<VersionFile> Files);
