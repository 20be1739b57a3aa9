using Microsoft.Extensions.Logging;
using R1Serverless.Abstractions;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Worker;

/// <summary>Drains the request queues into an engine: it leases as much as the engine can admit and a little more, runs it, and brings each request
/// to exactly one end. Only the queue's clock and elapsed time count, so the clocks of processes may differ.</summary>
/// <param name="inference">The engine; it may throw, which counts as a failure that another delivery may not have.</param>
/// <param name="routes">What the engine can be asked for.</param>
/// <param name="load">The engine's load right now; called often, from any thread.</param>
/// <param name="options">Ranges are checked here.</param>
/// <param name="workers">Who else may serve what this worker does not; null for nobody.</param>
/// <param name="prefixes">Where it is remembered how prompts begin; null for nowhere.</param>
public sealed partial class QueueWorker(
    Transport transport, IInference inference, ServedRoutes routes, Func<WorkerLoad> load, QueueWorkerOptions options,
    TimeProvider time, ILogger log, WorkerDirectory? workers = null, WorkerPrefixes? prefixes = null)
{
    // How often the engine's load is looked at while there is no room; a request's end is noticed at once.
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(20);

    // For handing back what still runs after the grace period.
    private static readonly TimeSpan CutOffTime = TimeSpan.FromSeconds(5);

    private readonly QueueWorkerOptions _options = Checked(options);
    private readonly LeaseTable _leases = new(load, options.MaxOutstanding, time);
    private readonly TransportRetry _retry = new(time, log);

    /// <summary>Leases and runs until the token is cancelled; then lets what runs come to its end within the grace period, hands back the rest, and
    /// returns. Faults of the transport are waited out. To be called once.</summary>
    public async Task RunAsync(CancellationToken stopLeasing)
    {
        ReplySender replies = new(transport.Replies, time, log);
        CancellationWatch marks = new(new CancellationMarkers(transport.Store), _leases, time, log);
        LeaseRenewer renewer = new(_leases, transport.Queue.LeaseTime, time, log);
        LeaseRouter router = new(transport.Queue, routes, workers);
        LeaseRunner runner = new(inference, new ResultStore(transport.Store), replies, marks, _leases, router, prefixes, _options, time, log);
        using var leasing = CancellationTokenSource.CreateLinkedTokenSource(stopLeasing);
        using CancellationTokenSource ended = new();
        var kept = Task.WhenAll(UntilAsync(renewer.RunAsync(ended.Token), leasing, ended.Token),
            UntilAsync(marks.RunAsync(ended.Token), leasing, ended.Token));
        try
        {
            await Task.WhenAll(
                UntilAsync(LeaseAsync(WorkClass.Interactive, runner, leasing.Token), leasing, leasing.Token),
                UntilAsync(LeaseAsync(WorkClass.Bulk, runner, leasing.Token), leasing, leasing.Token));
        }
        finally
        {
            await DrainAsync(replies);
            ended.Cancel();
        }

        await kept;
    }

    private static QueueWorkerOptions Checked(QueueWorkerOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxAttempts, 1, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxDeliveries, options.MaxAttempts, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxOutstanding, 2, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Grace, TimeSpan.Zero, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Patience, TimeSpan.Zero, nameof(options));
        return options;
    }

    /// <summary>Waits for one of the worker's loops: it ends when told to; if it breaks, leasing stops, and the worker with it.</summary>
    private static async Task UntilAsync(Task loop, CancellationTokenSource leasing, CancellationToken told)
    {
        try
        {
            await loop;
        }
        catch (OperationCanceledException) when (told.IsCancellationRequested)
        {
            // Leasing was stopped.
        }
        finally
        {
            if (!told.IsCancellationRequested) leasing.Cancel();
        }
    }

    private async Task LeaseAsync(WorkClass workClass, LeaseRunner runner, CancellationToken stop)
    {
        var failures = 0;
        while (!stop.IsCancellationRequested)
        {
            var seen = _leases.Changes.Version;
            var room = _leases.Reserve(workClass);
            if (room == 0)
            {
                await _leases.Changes.WaitAsync(seen, LookAgain, time, stop);
                continue;
            }

            IReadOnlyList<HeldLease> leased = [];
            try
            {
                leased = [.. (await transport.Queue.LeaseAsync(workClass, routes.Recent, room, _options.Patience, stop)).Select(
                    lease => new HeldLease(lease, transport.Queue.LeaseTime, time))];
                failures = 0;
            }
            catch (TransportException fault)
            {
                await _retry.PauseAsync("lease requests", ++failures, fault, stop);
            }
            finally
            {
                _leases.Settle(workClass, room, leased);
            }

            foreach (var held in leased)
            {
                if (stop.IsCancellationRequested) held.Stop(StopReason.Drained);
                _ = runner.RunAsync(held);
            }
        }
    }

    private async Task DrainAsync(ReplySender replies)
    {
        LogDraining(_leases.Held.Count);
        if (!await IsEmptyWithinAsync(_options.Grace))
        {
            LogHandingBack(_leases.Held.Count);
            foreach (var held in _leases.Held) held.Stop(StopReason.Drained);
            if (!await IsEmptyWithinAsync(CutOffTime))
            {
                foreach (var held in _leases.Held) held.Lose();
            }
        }

        try
        {
            await replies.FlushAsync().WaitAsync(CutOffTime, time);
        }
        catch (TimeoutException)
        {
            LogRepliesLeft();
        }
    }

    private async Task<bool> IsEmptyWithinAsync(TimeSpan limit)
    {
        var start = time.GetTimestamp();
        while (true)
        {
            var seen = _leases.Changes.Version;
            if (_leases.IsEmpty) return true;
            var left = limit - time.GetElapsedTime(start);
            if (left <= TimeSpan.Zero) return false;
            await _leases.Changes.WaitAsync(seen, left, time, CancellationToken.None);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Leasing has stopped; {Requests} requests still run")]
    private partial void LogDraining(int requests);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The grace period is over: {Requests} requests are handed back")]
    private partial void LogHandingBack(int requests);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Replies were left unsent: their gateways take the results from the store")]
    private partial void LogRepliesLeft();
}
