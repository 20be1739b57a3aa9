namespace R1Serverless.Queues;

/// <summary>Tells from samples of a queue how fast it drains, whoever fills and drains it. A queue is first in, first out: what waited when its
/// oldest request came has left by now. Both that and any fall of its length are rates that the workers reached at least; the greatest of the last
/// half minute counts.</summary>
internal sealed class QueueTrend
{
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(30);

    // Over shorter times the chance of a moment is larger than the rate.
    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(4);

    private readonly Queue<(TimeSpan At, long Waiting)> _samples = new();

    /// <param name="now">On any clock that only goes forward.</param>
    public QueueSignal Add(TimeSpan now, QueueStatistics statistics)
    {
        while (_samples.TryPeek(out var oldest) && now - oldest.At > Window) _samples.Dequeue();
        double drain = 0;
        foreach ((var at, var waiting) in _samples)
        {
            if (now - at < Shortest) break;
            var allLeft = statistics.OldestAge is not { } age || at <= now - age;
            var left = allLeft ? waiting : waiting - statistics.Waiting;
            drain = Math.Max(drain, left / (now - at).TotalSeconds);
        }

        var growth = _samples.TryPeek(out var first) && now > first.At ? (statistics.Waiting - first.Waiting) / (now - first.At).TotalSeconds : 0;
        _samples.Enqueue((now, statistics.Waiting));
        return new QueueSignal(statistics, Math.Max(0, drain + growth), drain, Wait(statistics, drain));
    }

    private static TimeSpan Wait(QueueStatistics statistics, double drain)
    {
        if (statistics.Waiting == 0) return TimeSpan.Zero;
        // Nothing has left that could tell: no wait is known but that of the oldest.
        if (drain <= 0) return statistics.OldestAge ?? TimeSpan.Zero;
        return TimeSpan.FromSeconds(Math.Min(statistics.Waiting / drain, TimeSpan.FromDays(1).TotalSeconds));
    }
}

/// <summary>What a queue is like.</summary>
/// <param name="ArrivalRate">Requests per second, over the last half minute.</param>
/// <param name="DrainRate">Requests per second that workers took, over the last half minute; 0 where none was taken.</param>
/// <param name="EstimatedWait">How long a request that came now would wait for a worker.</param>
public sealed record QueueSignal(QueueStatistics Statistics, double ArrivalRate, double DrainRate, TimeSpan EstimatedWait)
{
    /// <summary>Before anything is known: an empty queue.</summary>
    public static QueueSignal None { get; } = new(new QueueStatistics(0, null, 0, null), 0, 0, TimeSpan.Zero);
}
