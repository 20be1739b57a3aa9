namespace R1Serverless.Auth;

/// <summary>
/// An allowance that refills evenly: a minute's worth at most, empty below one. It may be overdrawn, because what an answer costs is known at its
/// end; then it refills from below.
/// Not the framework's limiter: that one knows no debt, no change of its limit, and no clock but its own. Not safe for several threads.
/// </summary>
internal sealed class TokenBucket(TimeProvider time)
{
    private long _at = time.GetTimestamp();
    private double? _level;

    /// <summary>Brings it up to date; to be called before anything else is.</summary>
    /// <param name="perMinute">The limit as it is now, from 1.</param>
    public void Refill(int perMinute)
    {
        var now = time.GetTimestamp();
        var gained = time.GetElapsedTime(_at, now).TotalMinutes * perMinute;
        _level = Math.Min(perMinute, (_level ?? perMinute) + gained);
        (_at, PerMinute) = (now, perMinute);
    }

    public int PerMinute { get; private set; }

    /// <summary>Whole ones that are left.</summary>
    public long Remaining => Math.Max(0, (long)Math.Floor(_level ?? 0));

    /// <summary>How long until one is left; zero if there is.</summary>
    public TimeSpan UntilOne => Until(1);

    /// <summary>How long until it is full.</summary>
    public TimeSpan UntilFull => Until(PerMinute);

    public void Take(long count) => _level -= count;

    private TimeSpan Until(double level) => TimeSpan.FromMinutes(Math.Max(0, level - (_level ?? 0)) / PerMinute);
}
