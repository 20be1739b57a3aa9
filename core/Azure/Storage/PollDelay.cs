using R1Serverless.Abstractions.Threading;

namespace R1Serverless.Azure.Storage;

/// <summary>How long to wait before an empty queue is asked again: a quarter of the time that nothing has come, so that waiting adds a quarter at
/// most to what took long anyway, and idle queues cost next to nothing. Safe for several threads.</summary>
/// <param name="least">Of a busy queue.</param>
/// <param name="most">Of a queue that has been idle for a while.</param>
/// <param name="rest">Of a queue that has been idle for a minute.</param>
/// <param name="signal">Set when something has come, where others wait for that too; null for one of its own.</param>
internal sealed class PollDelay(TimeProvider time, TimeSpan least, TimeSpan most, TimeSpan rest, AsyncSignal? signal = null)
{
    private static readonly TimeSpan RestAfter = TimeSpan.FromMinutes(1);

    private long last = time.GetTimestamp();
    private long version;
    private readonly AsyncSignal news = signal ?? new();

    public TimeSpan Next
    {
        get
        {
            var idle = time.GetElapsedTime(Volatile.Read(ref last));
            if (idle >= RestAfter) return rest;
            return TimeSpan.FromTicks(Math.Clamp(idle.Ticks / 4, least.Ticks, most.Ticks));
        }
    }

    /// <summary>How often something has come, or was about to.</summary>
    public long Version => Volatile.Read(ref version);

    /// <summary>Something has come, or is about to: whoever waits asks at once.</summary>
    public void Reset()
    {
        Volatile.Write(ref last, time.GetTimestamp());
        Interlocked.Increment(ref version);
        news.Set();
    }

    /// <summary>Waits for <see cref="Next"/>, but no longer than <paramref name="limit"/>.</summary>
    public Task WaitAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        var seen = news.Version;
        return news.WaitAsync(seen, Next < limit ? Next : limit, time, cancellationToken);
    }
}
