namespace R1Serverless.Azure.ServiceBus;

/// <summary>The service's clock, as its locks tell it: a lock begins when a message or a session is given out, and ends the lock duration later. The
/// clocks of the processes don't matter.</summary>
/// <param name="probe">Asks for the end of a lock that begins now.</param>
internal sealed class BrokerClock(TimeProvider time, TimeSpan lockTime, Func<CancellationToken, ValueTask<DateTimeOffset>> probe)
{
    private readonly Lock _gate = new();
    private DateTimeOffset? _then;
    private long _stamp;

    /// <summary>A lock that has just begun ends at <paramref name="lockEnd"/>; when it began.</summary>
    public DateTimeOffset Observe(DateTimeOffset lockEnd)
    {
        var begin = lockEnd - lockTime;
        lock (_gate)
        {
            // What was long on its way tells an earlier time than it is.
            if (_then is { } then && then + time.GetElapsedTime(_stamp) > begin) return begin;
            (_then, _stamp) = (begin, time.GetTimestamp());
        }

        return begin;
    }

    public async ValueTask<DateTimeOffset> NowAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_then is { } then) return then + time.GetElapsedTime(_stamp);
        }

        return Observe(await probe(cancellationToken));
    }
}
