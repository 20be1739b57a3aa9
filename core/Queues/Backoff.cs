namespace R1Serverless.Queues;

/// <summary>How long to wait before the next attempt: twice as long each time up to a limit, drawn from the upper half so that those that failed together don't
/// come back together.</summary>
internal sealed record Backoff(TimeSpan First, TimeSpan Most)
{
    /// <summary>For requests given back after a failure that may pass.</summary>
    public static Backoff Redelivery { get; } = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(30));

    /// <summary>For a transport that can't be reached.</summary>
    public static Backoff Transport { get; } = new(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(5));

    /// <param name="attempt">The number of the attempt that failed, from 1.</param>
    /// <param name="draw">Uniform in [0, 1).</param>
    public TimeSpan After(int attempt, double draw)
    {
        TimeSpan whole = First * Math.Pow(2, Math.Clamp(attempt - 1, 0, 30));
        return (whole < Most ? whole : Most) * (0.5 + (0.5 * draw));
    }
}
