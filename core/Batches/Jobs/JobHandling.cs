using Microsoft.Extensions.Logging;
using R1Serverless.Queues;

namespace R1Serverless.Batches.Jobs;

/// <summary>How whoever took a message from the queue of jobs ends it now.</summary>
public enum JobStep
{
    /// <summary>The job is on its way.</summary>
    Complete,

    /// <summary>It can never be run.</summary>
    PutAside,

    /// <summary>Another delivery may go better.</summary>
    Retry,
}

/// <param name="Reason">Why the message is put aside; null for the other steps.</param>
public readonly record struct JobVerdict(JobStep Step, string? Reason);

/// <summary>Handles messages for all that take them from the queue of jobs, and says what to do with each.</summary>
public sealed partial class JobHandling(InferenceJobs jobs, ILogger log)
{
    private const int MostDeliveries = 5;

    /// <param name="id">The queue's own, the same at each delivery.</param>
    /// <param name="deliveries">This time included.</param>
    /// <exception cref="TransportException">The store can't be reached: the message is to be delivered again.</exception>
    public async ValueTask<JobVerdict> HandleAsync(string id, ReadOnlyMemory<byte> message, int deliveries, CancellationToken cancellationToken)
    {
        JobOutcome outcome;
        try
        {
            outcome = await jobs.HandleAsync(id, message, cancellationToken);
        }
        catch (Exception fault) when (fault is not (TransportException or OperationCanceledException))
        {
            LogFailed(fault, id);
            return deliveries >= MostDeliveries ? new JobVerdict(JobStep.PutAside, $"handling it failed {deliveries} times") : new JobVerdict(JobStep.Retry, null);
        }

        if (outcome.Refusal is not { } reason) return new JobVerdict(JobStep.Complete, null);
        LogRefused(id, reason);
        return new JobVerdict(JobStep.PutAside, reason);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Job {Job} was put aside: {Reason}")]
    private partial void LogRefused(string job, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Handling job {Job} failed")]
    private partial void LogFailed(Exception fault, string job);
}
