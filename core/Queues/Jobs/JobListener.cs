using Microsoft.Extensions.Logging;

namespace R1Serverless.Queues.Jobs;

/// <summary>Takes messages from the queue of jobs and hands them to <see cref="InferenceJobs"/>, where no trigger of a host does so.</summary>
public sealed class JobListener(IJobQueue queue, InferenceJobs jobs, TimeProvider time, ILogger<JobListener> log)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30), AfterFault = TimeSpan.FromSeconds(2);

    private readonly TransportRetry _retry = new(time, log);

    /// <summary>Until cancelled. Faults of the transport are waited out.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (!cancellationToken.IsCancellationRequested) await _retry.RunAsync("take a job", TakeAsync, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // What was not ended is delivered again.
        }
    }

    private async ValueTask<bool> TakeAsync(CancellationToken cancellationToken)
    {
        if (await queue.LeaseAsync(Patience, cancellationToken) is not { } lease) return false;
        var outcome = await jobs.HandleAsync(lease.Id, lease.Message, lease.Deliveries, cancellationToken);
        await (outcome.Step switch
        {
            JobStep.Complete => lease.CompleteAsync(cancellationToken),
            JobStep.PutAside => lease.DeadLetterAsync(outcome.Reason!, cancellationToken),
            _ => lease.AbandonAsync(AfterFault, cancellationToken),
        });
        return true;
    }
}
