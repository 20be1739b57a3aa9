using Microsoft.Extensions.Logging;
using R1Serverless.Abstractions;
using R1Serverless.Queues.Batches;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Jobs;

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

/// <param name="Batch">The batch that runs it; null for the other steps than completion.</param>
/// <param name="Reason">Why the message is put aside; null for the other steps.</param>
public readonly record struct JobOutcome(JobStep Step, string? Batch = null, string? Reason = null);

/// <summary>Handles messages of <c>inference-jobs</c>, whoever receives them: each becomes a batch, an inline request one of a single line. The
/// batch's id follows from the job's, so that a message that comes twice runs once. Results land in <c>jobs/{id}/result.json</c> (inline: one output
/// line), or <c>jobs/{id}/output.jsonl</c> and <c>…/errors.jsonl</c>, unless the message names another place below <c>jobs/</c>.</summary>
public sealed partial class InferenceJobs(IObjectStore store, IBatchApi api, TimeProvider time, ILogger log)
{
    private const int MaxDeliveries = 5;

    /// <summary>Limits and turns of all jobs together, beside those of the API's keys.</summary>
    private const string Owner = "inference-jobs";

    private readonly BatchJobs _jobs = new(store, time);

    /// <param name="messageId">The queue's own, the same at each delivery; names the job where the producer did not.</param>
    /// <param name="deliveries">This time included.</param>
    /// <exception cref="TransportException">The store can't be reached: the message is to be delivered again.</exception>
    public async ValueTask<JobOutcome> HandleAsync(
        string messageId, ReadOnlyMemory<byte> message, int deliveries, CancellationToken cancellationToken)
    {
        JobOutcome outcome;
        try
        {
            outcome = await StartAsync(messageId, message, cancellationToken);
        }
        catch (Exception fault) when (fault is not (TransportException or OperationCanceledException))
        {
            LogFailed(fault, messageId);
            return deliveries >= MaxDeliveries ? Refused($"handling it failed {deliveries} times") : new JobOutcome(JobStep.Retry);
        }

        if (outcome.Reason is { } reason) LogRefused(messageId, reason);
        return outcome;
    }

    private async ValueTask<JobOutcome> StartAsync(string messageId, ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        if (JobMessage.Read(message, api, out var reason) is not { } job) return Refused(reason);
        var id = job.Id ?? (StoreId.IsPossible(messageId) ? messageId : StoreId.Of("job_", messageId));
        var output = Output(job, id);
        var input = job.Input ?? $"jobs/{id}/input.jsonl";
        if (job.Line is { } line)
        {
            if (await RefusalAsync(line, id, output, cancellationToken) is { } refusal) return Refused(refusal);
            await store.PutAsync(input, line, PutCondition.Absent, cancellationToken);
        }
        else if (!await store.ExistsAsync(input, cancellationToken))
        {
            return Refused($"there is no object '{input}'");
        }

        var now = time.GetUtcNow().ToUnixTimeSeconds();
        var batch = await _jobs.CreateAsync(
            new BatchJob
            {
                Id = StoreId.Of("batch_job_", id), Owner = Owner, Input = input, Endpoint = job.Endpoint, Window = job.Window, Output = output,
                Times = new BatchTimes(now, now + (long)job.Window.TotalSeconds),
            },
            cancellationToken);
        return new JobOutcome(JobStep.Complete, batch.Id);
    }

    /// <summary>A request that is not valid is told to the producer, too, where its result would have been.</summary>
    private async ValueTask<string?> RefusalAsync(byte[] line, string id, JobOutput output, CancellationToken cancellationToken)
    {
        if (api.Read(line, new RequestId(id)) is not { Refusal: { } refusal } read) return null;
        await store.PutAsync(output.Results, refusal.Json, PutCondition.Always, cancellationToken);
        return read.Why ?? "the request is not valid";
    }

    private static JobOutcome Refused(string reason) => new(JobStep.PutAside, Reason: reason);

    private static JobOutput Output(JobMessage job, string id)
    {
        if (job.Line is not null) return new JobOutput(job.Output ?? $"jobs/{id}/result.json", Errors: null);
        if (job.Output is not { } named) return new JobOutput($"jobs/{id}/output.jsonl", $"jobs/{id}/errors.jsonl");
        int slash = named.LastIndexOf('/'), dot = named.LastIndexOf('.');
        return new JobOutput(named, (dot > slash ? named[..dot] : named) + ".errors.jsonl");
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Job {Job} was put aside: {Reason}")]
    private partial void LogRefused(string job, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Handling job {Job} failed")]
    private partial void LogFailed(Exception fault, string job);
}
