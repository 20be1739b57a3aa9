using Microsoft.Extensions.Logging;
using R1Serverless.Abstractions;
using R1Serverless.Storage;

namespace R1Serverless.Queues;

/// <summary>Keeps this process's worker registration fresh, and takes it away at the end.</summary>
/// <param name="models">What it serves right now; asked before each publication.</param>
/// <param name="isFull">Whether its engine has no room; asked as well.</param>
public sealed partial class WorkerHeartbeat(
    WorkerRegistrations registrations, Func<IReadOnlyList<ServedModel>> models, WorkerPrefixes prefixes, Func<bool> isFull, TimeProvider time,
    ILogger log)
{
    // A registration that could not be taken away falls silent, which gateways notice too.
    private static readonly TimeSpan RemovalLimit = TimeSpan.FromSeconds(5);

    /// <summary>Publishes until cancelled.</summary>
    public async Task RunAsync(CancellationToken end)
    {
        try
        {
            for (long count = 1; !end.IsCancellationRequested; count++)
            {
                var seen = prefixes.Changes.Version;
                await PublishAsync(count, end);
                if (await prefixes.Changes.WaitAsync(seen, WorkerRegistrations.Interval, time, end))
                    await Task.Delay(WorkerRegistrations.ShortestInterval, time, end);
            }
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            // The worker leases no more.
        }

        using CancellationTokenSource limit = new(RemovalLimit, time);
        try
        {
            await registrations.RemoveAsync(prefixes.Worker, limit.Token);
        }
        catch (Exception fault) when (fault is TransportException or OperationCanceledException)
        {
            LogUnreachable(fault.Message);
        }
    }

    private async Task PublishAsync(long count, CancellationToken end)
    {
        try
        {
            if (count == 1) await registrations.PurgeAsync(end);
            WorkerRegistration registration = new(prefixes.Worker, count, models()) { Prefixes = prefixes.List(), IsFull = isFull() };
            await registrations.PublishAsync(registration, end);
        }
        catch (TransportException fault)
        {
            LogUnreachable(fault.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "This worker's registration could not be written: {Reason}")]
    private partial void LogUnreachable(string reason);
}
