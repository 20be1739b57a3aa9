namespace R1Serverless.Queues.Gateway;

/// <summary>Which worker a request is meant for first, by what of its prompt is computed there and by the load.</summary>
internal static class PrefixChoice
{
    /// <summary>So many more unended requests than another a worker may have and still be named: what begins alike and is asked for often is to run
    /// on several workers.</summary>
    public const int MostAhead = 4;

    /// <summary>The worker with the longest beginning of the prompt, of several the one with the fewest requests; null where none has any, where
    /// there is no choice, or where it has more requests than its share.</summary>
    /// <param name="free">Workers that serve the request and have room.</param>
    public static string? Of(IReadOnlyList<PrefixCandidate> free)
    {
        if (free.Count < 2) return null;
        var best = free.OrderByDescending(one => one.Length).ThenBy(one => one.Requests).First();
        return best.Length > 0 && best.Requests < free.Min(one => one.Requests) + MostAhead ? best.Worker : null;
    }
}

/// <param name="Length">How many of the prompt's beginnings, shortest first, end with one that it has; 0 for none.</param>
/// <param name="Requests">Unended requests of this gateway that run there or are meant for it.</param>
internal readonly record struct PrefixCandidate(string Worker, int Length, int Requests);
