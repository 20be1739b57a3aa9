using Microsoft.Extensions.Logging;
using R1Serverless.Queues;

namespace R1Serverless.Batches.Jobs;

/// <summary>Takes messages from the queue of jobs and hands them to <see cref="InferenceJobs"/>, where no trigger of a host does so.</summary>
public sealed partial class JobListener(IJobQueue queue, InferenceJobs jobs, TimeProvider time, ILogger<JobListener> log)
{
    private const int MostDeliveries = 5;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30), AfterFault = TimeSpan.FromSeconds(2);

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
        JobOutcome outcome;
        try
        {
            outcome = await jobs.HandleAsync(lease.Id, lease.Message, cancellationToken);
        }
        catch (Exception fault) when (fault is not (TransportException or OperationCanceledException))
        {
            LogFailed(fault, lease.Id);
            if (lease.Deliveries >= MostDeliveries) await lease.DeadLetterAsync($"handling it failed {lease.Deliveries} times", cancellationToken);
            else await lease.AbandonAsync(AfterFault, cancellationToken);
            return;
        }

        if (outcome.Refusal is not { } reason)
        {
            await lease.CompleteAsync(cancellationToken);
            return;
        }

        LogRefused(lease.Id, reason);
        await lease.DeadLetterAsync(reason, cancellationToken);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The queue of jobs can't be reached; it is tried again: {Reason}")]
    private partial void LogUnreachable(string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Job {Job} was put aside: {Reason}")]
    private partial void LogRefused(string job, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Handling job {Job} failed")]
    private partial void LogFailed(Exception fault, string job);
}
