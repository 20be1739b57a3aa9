using Microsoft.Extensions.Logging;

namespace R1Serverless.Queues.ServiceBus;

/// <summary>Calls to one queue of the service. Each ends in time, whatever the library waits for; and an outage is told of when it begins, while it lasts and when it is over.</summary>
internal sealed partial class BusCalls(BusClient bus, string queue)
{
    private static readonly TimeSpan Reminder = TimeSpan.FromSeconds(30);

    private readonly ILogger log = bus.Log;
    private readonly Lock _gate = new();
    private (DateTimeOffset Since, long Began, long Told)? _outage;

    public async ValueTask RunAsync(string what, Func<CancellationToken, Task> call, CancellationToken cancellationToken) =>
        await RunAsync(what, async stop => { await call(stop); return true; }, bus.CallTime, cancellationToken);

    public ValueTask<T> RunAsync<T>(string what, Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken) => RunAsync(what, call, bus.CallTime, cancellationToken);

    /// <param name="what">For the log: what is being tried.</param>
    /// <exception cref="TransportException">The service refuses, or can't be reached, or did not answer within <paramref name="limit"/>; it may have done what was asked.</exception>
    public async ValueTask<T> RunAsync<T>(string what, Func<CancellationToken, Task<T>> call, TimeSpan limit, CancellationToken cancellationToken)
    {
        try
        {
            // The library cancels between its attempts, not within them.
            T answer = await call(cancellationToken).WaitAsync(limit, bus.Time, cancellationToken);
            OnAnswer();
            return answer;
        }
        catch (Exception fault) when (ServiceBusFault.Knows(fault, cancellationToken))
        {
            TransportException explained = bus.Explain(fault, queue);
            if (!explained.IsPermanent) OnFault(what, explained.Message);
            throw explained;
        }
    }

    private void OnAnswer()
    {
        if (_outage is null) return;
        lock (_gate)
        {
            if (_outage is not { } over) return;
            LogBack(queue, bus.Host, bus.Time.GetElapsedTime(over.Began).TotalSeconds);
            _outage = null;
        }
    }

    private void OnFault(string what, string reason)
    {
        lock (_gate)
        {
            long now = bus.Time.GetTimestamp();
            (DateTimeOffset Since, long Began, long Told) outage = _outage ?? (bus.Time.GetUtcNow(), now, now);
            bool isNew = _outage is null;
            if (!isNew && bus.Time.GetElapsedTime(outage.Told) < Reminder) return;
            _outage = outage with { Told = now };
            if (isNew) LogAway(queue, bus.Host, outage.Since, what, bus.CallTime.TotalSeconds, reason);
            else LogStillAway(queue, bus.Host, outage.Since, bus.Time.GetElapsedTime(outage.Began).TotalSeconds, what, reason);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Queue '{Queue}' at {Host} is away since {Since:u}: could not {What}. A call is given up after {Seconds:0} s at the latest, and tried again until the queue answers: {Reason}")]
    private partial void LogAway(string queue, string host, DateTimeOffset since, string what, double seconds, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Queue '{Queue}' at {Host} is still away, since {Since:u}, for {Seconds:0} s: could not {What}: {Reason}")]
    private partial void LogStillAway(string queue, string host, DateTimeOffset since, double seconds, string what, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Queue '{Queue}' at {Host} answers again, after {Seconds:0.0} s")]
    private partial void LogBack(string queue, string host, double seconds);
}
