namespace R1Serverless.Storage;

/// <summary>How long to wait before the next attempt: longer each time up to a limit, drawn from the upper half so that those that failed together
/// don't come back together.</summary>
public sealed record Backoff(TimeSpan First, TimeSpan Most, double Factor = 2)
{
    /// <summary>For requests given back after a failure that may pass.</summary>
    public static Backoff Redelivery { get; } = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(30));

    /// <summary>For a transport that can't be reached.</summary>
    public static Backoff Transport { get; } = new(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(5));

    /// <summary>For a client's webhook that could not be called: eight tries take 45 to 91 minutes.</summary>
    public static Backoff Webhook { get; } = new(TimeSpan.FromSeconds(1), TimeSpan.FromHours(24), Factor: 4);

    /// <param name="attempt">The number of the attempt that failed, from 1.</param>
    /// <param name="draw">Uniform in [0, 1).</param>
    public TimeSpan After(int attempt, double draw)
    {
        var whole = First * Math.Pow(Factor, Math.Clamp(attempt - 1, 0, 20));
        return (whole < Most ? whole : Most) * (0.5 + (0.5 * draw));
    }
}
