using Microsoft.Extensions.Logging;
using R1Serverless.Storage;

namespace R1Serverless.Azure.ServiceBus;

/// <summary>Calls to one queue of the service. Each ends in time, whatever the library waits for; and an outage is told of when it begins, while it
/// lasts and when it is over.</summary>
internal sealed partial class BusCalls(BusClient bus, string queue)
{
    // The second goes over a new link or connection, where the first found that the old one was gone.
    private const int MaxAttempts = 2;

    /// <summary>Calls that wait ask anew so often: a link that has fallen silent without a word is given up that much, and an attempt's time,
    /// later.</summary>
    public static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(4);

    private static readonly TimeSpan Reminder = TimeSpan.FromSeconds(30);

    private readonly ILogger log = bus.Log;
    private readonly Lock _gate = new();
    private (DateTimeOffset Since, long Began, long Told)? _outage;

    public async ValueTask RunAsync(string what, Func<CancellationToken, Task> call, CancellationToken cancellationToken) =>
        await RunAsync(what, async stop => { await call(stop); return true; }, cancellationToken);

    public ValueTask<T> RunAsync<T>(string what, Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken) =>
        RunAsync(what, call, bus.AttemptTime, MaxAttempts, cancellationToken);

    /// <summary>For calls that wait, and whose callers wait again: one attempt.</summary>
    public ValueTask<T> WaitAsync<T>(string what, TimeSpan wait, Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken) =>
        RunAsync(what, call, wait + bus.AttemptTime, 1, cancellationToken);

    /// <param name="what">For the log: what is being tried.</param>
    /// <param name="limit">Of an attempt.</param>
    /// <exception cref="TransportException">The service refuses, or can't be reached, or did not answer in time; it may have done what was
    /// asked.</exception>
    private async ValueTask<T> RunAsync<T>(string what, Func<CancellationToken, Task<T>> call, TimeSpan limit, int attempts,
        CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            var sdk = bus.Sdk;
            try
            {
                // The library cancels between the steps of a call, not within them.
                var answer = await call(cancellationToken).WaitAsync(limit, bus.Time, cancellationToken);
                bus.Answered(sdk);
                OnAnswer();
                return answer;
            }
            catch (Exception fault) when (ServiceBusFault.Knows(fault, cancellationToken))
            {
                if (ServiceBusFault.IsLate(fault)) bus.Suspect(sdk);
                var explained = bus.Explain(fault, queue);
                if (!explained.IsPermanent && attempt < attempts) continue;
                if (!explained.IsPermanent) OnFault(what, explained.Message);
                throw explained;
            }
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
            var now = bus.Time.GetTimestamp();
            var outage = _outage ?? (bus.Time.GetUtcNow(), now, now);
            var isNew = _outage is null;
            if (!isNew && bus.Time.GetElapsedTime(outage.Told) < Reminder) return;
            _outage = outage with { Told = now };
            if (isNew) LogAway(queue, bus.Host, outage.Since, what, (bus.AttemptTime * MaxAttempts).TotalSeconds, reason);
            else LogStillAway(queue, bus.Host, outage.Since, bus.Time.GetElapsedTime(outage.Began).TotalSeconds, what, reason);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Queue '{Queue}' at {Host} is away since {Since:u}: could not {What}. A call is given up "
        + "after {Seconds:0} s at the latest, and tried again until the queue answers: {Reason}")]
    private partial void LogAway(string queue, string host, DateTimeOffset since, string what, double seconds, string reason);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "Queue '{Queue}' at {Host} is still away, since {Since:u}, for {Seconds:0} s: could not {What}: {Reason}")]
    private partial void LogStillAway(string queue, string host, DateTimeOffset since, double seconds, string what, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Queue '{Queue}' at {Host} answers again, after {Seconds:0.0} s")]
    private partial void LogBack(string queue, string host, double seconds);
}
