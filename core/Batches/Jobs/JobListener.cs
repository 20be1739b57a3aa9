using Microsoft.Extensions.Logging;
using R1Serverless.Queues;

namespace R1Serverless.Batches.Jobs;

/// <summary>Takes messages from the queue of jobs and hands them to <see cref="InferenceJobs"/>, where no trigger of a host does so.</summary>
public sealed partial class JobListener(IJobQueue queue, InferenceJobs jobs, TimeProvider time, ILogger<JobListener> log)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30), AfterFault = TimeSpan.FromSeconds(2);

    private readonly JobHandling _handling = new(jobs, log);

    /// <summary>Until cancelled. Faults of the transport are waited out.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (!cancellationToken.IsCancellationRequested)
            {
                try
                {
                    if (await queue.LeaseAsync(Patience, cancellationToken) is { } lease) await HandleAsync(lease, cancellationToken);
                }
                catch (TransportException fault)
                {
                    LogUnreachable(fault.Message);
                    await Task.Delay(AfterFault, time, cancellationToken);
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // What was not ended is delivered again.
        }
    }

    private async ValueTask HandleAsync(JobLease lease, CancellationToken cancellationToken)
    {
        (JobStep step, string? reason) = await _handling.HandleAsync(lease.Id, lease.Message, lease.Deliveries, cancellationToken);
        await (step switch
        {
            JobStep.Complete => lease.CompleteAsync(cancellationToken),
            JobStep.PutAside => lease.DeadLetterAsync(reason!, cancellationToken),
            _ => lease.AbandonAsync(AfterFault, cancellationToken),
        });
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The queue of jobs can't be reached; it is tried again: {Reason}")]
    private partial void LogUnreachable(string reason);
}
