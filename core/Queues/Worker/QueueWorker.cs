using Microsoft.Extensions.Logging;
using R1Serverless.Requests;

namespace R1Serverless.Queues;

/// <summary>
/// Drains the request queues into an engine: it leases as much as the engine can admit and a little more, runs it, and brings each request to exactly one end.
/// Only the queue's clock and elapsed time count, so the clocks of processes may differ.
/// </summary>
/// <param name="inference">The engine; it may throw, which counts as a failure that another delivery may not have.</param>
/// <param name="load">The engine's load right now; called often, from any thread.</param>
/// <param name="options">Ranges are checked here.</param>
public sealed partial class QueueWorker(Transport transport, IInference inference, Func<WorkerLoad> load, QueueWorkerOptions options, TimeProvider time, ILogger log)
{
    // How often the engine's load is looked at while there is no room; a request's end is noticed at once.
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(20);

    // For handing back what still runs after the grace period.
    private static readonly TimeSpan CutOffTime = TimeSpan.FromSeconds(5);

    private readonly QueueWorkerOptions _options = Checked(options);
    private readonly LeaseBook _book = new(load, options.MostOutstanding, time);
    private readonly TransportRetry _retry = new(time, log);

    /// <summary>
    /// Leases and runs until the token is cancelled; then lets what runs come to its end within the grace period, hands back the rest, and returns. Faults of the
    /// transport are waited out. To be called once.
    /// </summary>
    public async Task RunAsync(CancellationToken stopLeasing)
    {
        ReplySender replies = new(transport.Replies, time, log);
        CancellationWatch marks = new(new CancellationMarks(transport.Store), _book, time, log);
        LeaseUpkeep upkeep = new(_book, transport.Queue.LeaseTime, time, log);
        LeaseRunner runner = new(inference, new ResultStore(transport.Store), replies, marks, _book, _options, time, log);
        using CancellationTokenSource leasing = CancellationTokenSource.CreateLinkedTokenSource(stopLeasing);
        using CancellationTokenSource ended = new();
        Task kept = Task.WhenAll(UntilAsync(upkeep.RunAsync(ended.Token), leasing, ended.Token), UntilAsync(marks.RunAsync(ended.Token), leasing, ended.Token));
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
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MostOutstanding, 2, nameof(options));
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
            // As told.
        }
        finally
        {
            if (!told.IsCancellationRequested) leasing.Cancel();
        }
    }

    private async Task LeaseAsync(WorkClass workClass, LeaseRunner runner, CancellationToken stop)
    {
        int failures = 0;
        while (!stop.IsCancellationRequested)
        {
            long seen = _book.Changes.Beats;
            int room = _book.Reserve(workClass);
            if (room == 0)
            {
                await _book.Changes.WaitAsync(seen, LookAgain, time, stop);
                continue;
            }

            IReadOnlyList<HeldLease> leased = [];
            try
            {
                leased = [.. (await transport.Queue.LeaseAsync(workClass, room, _options.Patience, stop)).Select(lease => new HeldLease(lease, transport.Queue.LeaseTime, time))];
                failures = 0;
            }
            catch (TransportException fault)
            {
                await _retry.PauseAsync("lease requests", ++failures, fault, stop);
            }
            finally
            {
                _book.Settle(workClass, room, leased);
            }

            foreach (HeldLease held in leased)
            {
                if (stop.IsCancellationRequested) held.Stop(StopReason.Drained);
                _ = runner.RunAsync(held);
            }
        }
    }

    private async Task DrainAsync(ReplySender replies)
    {
        LogDraining(_book.Held.Count);
        if (!await IsEmptyWithinAsync(_options.Grace))
        {
            LogHandingBack(_book.Held.Count);
            foreach (HeldLease held in _book.Held) held.Stop(StopReason.Drained);
            if (!await IsEmptyWithinAsync(CutOffTime))
            {
                foreach (HeldLease held in _book.Held) held.Lose();
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
        long start = time.GetTimestamp();
        while (true)
        {
            long seen = _book.Changes.Beats;
            if (_book.IsEmpty) return true;
            TimeSpan left = limit - time.GetElapsedTime(start);
            if (left <= TimeSpan.Zero) return false;
            await _book.Changes.WaitAsync(seen, left, time, CancellationToken.None);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Leasing has stopped; {Requests} requests still run")]
    private partial void LogDraining(int requests);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The grace period is over: {Requests} requests are handed back")]
    private partial void LogHandingBack(int requests);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Replies were left unsent: their gateways take the results from the store")]
    private partial void LogRepliesLeft();
}
