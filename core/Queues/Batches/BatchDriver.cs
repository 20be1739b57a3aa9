using Microsoft.Extensions.Logging;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Threading;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Batches;

/// <summary>Looks for batches that nobody drives and drives them, each in one process at a time. Any number of processes may do so over one store:
/// whoever writes its name into the job first has it, and keeps it as long as its beat goes on.</summary>
/// <param name="workers">Who answers the lines; null where each goes to the workers of its model, whether there are any or not.</param>
public sealed partial class BatchDriver(
    Transport transport, IBatchApi api, BatchLimits limits, TimeProvider time, ILogger<BatchDriver> log, WorkerDirectory? workers = null)
{
    private const int MaxFaults = 5, MinAllowance = 16;

    private static readonly TimeSpan ReleaseTime = TimeSpan.FromSeconds(5);

    private readonly BatchJobs _jobs = new(transport.Store, time);
    private readonly string _name = RequestId.New().Value;
    private readonly Dictionary<string, (string OwnerFolder, Task Run)> _runs = new(StringComparer.Ordinal);
    private readonly BatchWatch _watch = new(limits, time);
    private readonly AsyncSignal _looked = new();

    private volatile Task[] _open = [];

    // Read by the runs, on other threads: replaced as a whole.
    private volatile IReadOnlyDictionary<string, int> _driven = new Dictionary<string, int>();

    /// <summary>Runs until cancelled; then lets go of its batches. Faults of the transport are waited out.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await BackgroundWork.RepeatAsync(
            limits.Look, time,
            async stop =>
            {
                try
                {
                    await LookAsync(stop);
                }
                catch (Exception fault) when (fault is TransportException or InvalidDataException)
                {
                    LogLookFailed(fault);
                }
            },
            cancellationToken);
        // They have the same token.
        await Task.WhenAll(_runs.Values.Select(run => run.Run));
    }

    /// <summary>Waits until batches have been looked for once more, from now on, and those that are driven here then have ended. Only while
    /// <see cref="RunAsync"/> runs.</summary>
    public async Task SettleAsync(CancellationToken cancellationToken)
    {
        // The look that is going on may have begun before.
        for (var i = 0; i < 2; i++) await _looked.WaitAsync(_looked.Version, Timeout.InfiniteTimeSpan, time, cancellationToken);
        await Task.WhenAll(_open).WaitAsync(cancellationToken);
    }

    private async ValueTask LookAsync(CancellationToken cancellationToken)
    {
        foreach ((var id, (_, var run)) in _runs.ToArray())
        {
            if (!run.IsCompleted) continue;
            _runs.Remove(id);
            await run;
        }

        var active = await _jobs.ListActiveAsync(cancellationToken);
        _watch.Keep(active);
        List<ActiveBatch> waiting =
            [.. active.Where(batch => !_runs.ContainsKey(batch.Id) && _watch.IsDue(batch.Id)).OrderByDescending(batch => batch.Age)];
        while (waiting.Count > 0)
        {
            // Owners take turns: the next is the oldest of whoever has the fewest.
            var next = waiting.MinBy(batch => Driven(batch.OwnerFolder))!;
            waiting.Remove(next);
            await LookAtAsync(next, cancellationToken);
        }

        _driven = _runs.Values.CountBy(run => run.OwnerFolder).ToDictionary();
        _open = [.. _runs.Values.Select(run => run.Run)];
        _looked.Set();
    }

    private async ValueTask LookAtAsync(ActiveBatch batch, CancellationToken cancellationToken)
    {
        var found = await _jobs.GetAsync(batch.Id, cancellationToken);
        switch (_watch.See(batch, found?.Job, _name))
        {
            case BatchSight.Leftover:
                await SweepAsync(batch, found?.Job, cancellationToken);
                break;
            case BatchSight.Free when _runs.Count < limits.Batches:
                if (await OwnedBatch.TryTakeAsync(_jobs, found!, _name, cancellationToken) is { } owned)
                    _runs.Add(batch.Id, (batch.OwnerFolder, DriveAsync(owned, batch, cancellationToken)));
                break;
        }
    }

    private async Task DriveAsync(OwnedBatch owned, ActiveBatch batch, CancellationToken cancellationToken)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        using (owned)
        using (var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, owned.Lost))
        {
            var beat = owned.BeatAsync(limits.Beat, time, stop.Token);
            try
            {
                BatchRun run = new(owned, batch.Age, transport, workers, _jobs, api, limits, () => Allowance(batch.OwnerFolder), time);
                await run.RunAsync(stop.Token);
            }
            catch (OperationCanceledException) when (owned.Lost.IsCancellationRequested)
            {
                LogLost(batch.Id);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                await LetGoAsync(owned);
            }
            catch (TransportException fault)
            {
                LogFailed(fault, batch.Id);
                _watch.Postpone(batch.Id);
            }
            catch (Exception fault)
            {
                LogFailed(fault, batch.Id);
                _watch.Postpone(batch.Id);
                await CountFaultAsync(owned, cancellationToken);
            }
            finally
            {
                await stop.CancelAsync();
                await beat;
            }
        }
    }

    /// <summary>A fault of ours that comes again and again must not keep the batch open for ever.</summary>
    private async ValueTask CountFaultAsync(OwnedBatch owned, CancellationToken cancellationToken)
    {
        try
        {
            await owned.UpdateAsync(
                job => job.DriverFaults + 1 < MaxFaults ? job with { DriverFaults = job.DriverFaults + 1 } : job with
                {
                    State = BatchState.Failed,
                    Times = job.Times with { Failed = _jobs.Now },
                    Faults = [new LineFault("internal_error", "The server failed on this batch; its log says more.")],
                },
                cancellationToken);
        }
        catch (Exception fault) when (fault is TransportException or OperationCanceledException)
        {
            // It is counted the next time.
        }
    }

    private async ValueTask LetGoAsync(OwnedBatch owned)
    {
        using CancellationTokenSource limit = new(ReleaseTime, time);
        try
        {
            await owned.ReleaseAsync(limit.Token);
        }
        catch (Exception fault) when (fault is TransportException or OperationCanceledException)
        {
            LogFailed(fault, owned.Job.Id);
        }
    }

    private async ValueTask SweepAsync(ActiveBatch batch, BatchJob? job, CancellationToken cancellationToken)
    {
        LineResults results = new(new ResultStore(transport.Store), batch.Id, api);
        await results.DeleteAsync(await results.ListAsync(cancellationToken), cancellationToken);
        if (job is not null) await new Segments(transport.Store, batch.Id).DeleteAsync(job.Segments.Count, cancellationToken);
        await _jobs.RemoveActiveAsync(batch, cancellationToken);
    }

    private int Driven(string ownerFolder) => _runs.Values.Count(run => run.OwnerFolder == ownerFolder);

    private int Allowance(string ownerFolder) =>
        Math.Clamp(limits.OutstandingPerOwner / _driven.GetValueOrDefault(ownerFolder, 1), Math.Min(MinAllowance, limits.Outstanding),
            limits.Outstanding);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Looking for batches failed; it is tried again")]
    private partial void LogLookFailed(Exception fault);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Batch {Batch} is driven by another process now")]
    private partial void LogLost(string batch);

    [LoggerMessage(Level = LogLevel.Error, Message = "Driving batch {Batch} failed; it is tried again")]
    private partial void LogFailed(Exception fault, string batch);
}
