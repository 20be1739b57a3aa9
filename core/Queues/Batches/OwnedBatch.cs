using R1Serverless.Abstractions.Threading;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Batches;

/// <summary>A batch that this process drives. Every write of it is refused by the store if anybody else has written meanwhile; what was written then
/// counts, and if it was another driver, this one has lost the batch: <see cref="Lost"/> is cancelled, and no write of it goes through any
/// more.</summary>
internal sealed class OwnedBatch : IDisposable
{
    private readonly BatchJobs _jobs;
    private readonly string _driver;
    private readonly SemaphoreSlim _mayWrite = new(1, 1);
    private readonly CancellationTokenSource _lost = new();
    private string _tag;

    private OwnedBatch(BatchJobs jobs, string driver, BatchJob job, string tag) => (_jobs, _driver, Job, _tag) = (jobs, driver, job, tag);

    /// <summary>As last read or written.</summary>
    public BatchJob Job { get; private set; }

    public CancellationToken Lost => _lost.Token;

    /// <summary>Null if somebody else was faster.</summary>
    public static async ValueTask<OwnedBatch?> TryTakeAsync(BatchJobs jobs, TaggedJob found, string driver, CancellationToken cancellationToken)
    {
        var mine = Stamp(found.Job, driver);
        return await jobs.TryPutAsync(mine, found.Tag, cancellationToken) is { } tag ? new OwnedBatch(jobs, driver, mine, tag) : null;
    }

    /// <summary>Changes the job. The change may be asked for several times, each with what is there then.</summary>
    /// <exception cref="OperationCanceledException">The batch is lost, or the token was cancelled.</exception>
    public async ValueTask<BatchJob> UpdateAsync(Func<BatchJob, BatchJob> change, CancellationToken cancellationToken)
    {
        using var turn = await _mayWrite.EnterAsync(cancellationToken);
        while (true)
        {
            _lost.Token.ThrowIfCancellationRequested();
            var changed = Stamp(change(Job), _driver);
            if (await _jobs.TryPutAsync(changed, _tag, cancellationToken) is { } tag)
            {
                (Job, _tag) = (changed, tag);
                return changed;
            }

            if (await _jobs.GetAsync(Job.Id, cancellationToken) is { } found && found.Job.Driver?.Name == _driver)
                (Job, _tag) = (found.Job, found.Tag);
            else await _lost.CancelAsync();
        }
    }

    /// <summary>Shows that the driver lives, until cancelled. A write that fails is tried again at the next beat.</summary>
    public async Task BeatAsync(TimeSpan interval, TimeProvider time, CancellationToken cancellationToken)
    {
        using PeriodicTimer timer = new(interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken))
            {
                try
                {
                    await UpdateAsync(job => job, cancellationToken);
                }
                catch (TransportException)
                {
                    // The run itself meets the same fault and reports it.
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The run has ended, or the batch is lost.
        }
    }

    /// <summary>Leaves the batch to whoever takes it next, at once instead of after a silence.</summary>
    public async ValueTask ReleaseAsync(CancellationToken cancellationToken)
    {
        using var turn = await _mayWrite.EnterAsync(cancellationToken);
        await _jobs.TryPutAsync(Job with { Driver = null }, _tag, cancellationToken);
    }

    public void Dispose()
    {
        _lost.Dispose();
        _mayWrite.Dispose();
    }

    private static BatchJob Stamp(BatchJob job, string driver) => job with { Driver = new DriverMark(driver, (job.Driver?.Beat ?? 0) + 1) };
}
