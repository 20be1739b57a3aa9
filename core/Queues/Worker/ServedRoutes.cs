namespace R1Serverless.Queues.Worker;

/// <summary>What a worker can be asked for, read anew only every so often, as it is asked for at each lease. Safe for several threads.</summary>
public sealed class ServedRoutes(Func<IReadOnlyCollection<RequestRoute>> read, TimeProvider time)
{
    private static readonly TimeSpan Freshness = TimeSpan.FromMilliseconds(200);

    private volatile Reading? _last;

    /// <summary>As it was a moment ago.</summary>
    public IReadOnlyCollection<RequestRoute> Recent => _last is { } last && time.GetElapsedTime(last.At) < Freshness ? last.Routes : Now;

    public IReadOnlyCollection<RequestRoute> Now => (_last = new Reading(time.GetTimestamp(), read())).Routes;

    private sealed record Reading(long At, IReadOnlyCollection<RequestRoute> Routes);
}
