namespace R1Serverless.Queues.AzureStorage;

/// <summary>How long to wait before an empty queue is asked again: a quarter of the time that nothing has come, so that waiting adds a quarter at most to what took
/// long anyway, and idle queues cost next to nothing. Safe for several threads.</summary>
/// <param name="least">Of a busy queue.</param>
/// <param name="most">Of a queue that has been idle for a while.</param>
/// <param name="rest">Of a queue that has been idle for a minute.</param>
internal sealed class PollDelay(TimeProvider time, TimeSpan least, TimeSpan most, TimeSpan rest)
{
    private static readonly TimeSpan RestAfter = TimeSpan.FromMinutes(1);

    private long last = time.GetTimestamp();
    private TaskCompletionSource news = New();

    public TimeSpan Next
    {
        get
        {
            TimeSpan idle = time.GetElapsedTime(Volatile.Read(ref last));
            if (idle >= RestAfter) return rest;
            return TimeSpan.FromTicks(Math.Clamp(idle.Ticks / 4, least.Ticks, most.Ticks));
        }
    }

    /// <summary>Something has come, or is about to: whoever waits asks at once.</summary>
    public void Reset()
    {
        Volatile.Write(ref last, time.GetTimestamp());
        Interlocked.Exchange(ref news, New()).TrySetResult();
    }

    /// <summary>Waits for <see cref="Next"/>, but no longer than <paramref name="limit"/>.</summary>
    public async ValueTask WaitAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        Task early = Volatile.Read(ref news).Task;
        TimeSpan delay = Next < limit ? Next : limit;
        await early.WaitAsync(delay, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
