using R1Serverless.Queues;
using R1Serverless.Requests;

namespace R1Serverless.Batches.Jobs;

/// <summary>What became of a message.</summary>
/// <param name="Batch">The batch that runs it; null where it was refused.</param>
/// <param name="Refusal">Why the message can never be run, for whoever puts it aside; null where it runs.</param>
public sealed record JobOutcome(string? Batch, string? Refusal);

/// <summary>
/// Handles messages of <c>inference-jobs</c>, whoever receives them: each becomes a batch, an inline request one of a single line. The batch's id follows from the
/// job's, so that a message that comes twice runs once. Results land in <c>jobs/{id}/result.json</c> (inline: one output line), or <c>jobs/{id}/output.jsonl</c> and
/// <c>…/errors.jsonl</c>, unless the message names another place below <c>jobs/</c>.
/// </summary>
public sealed class InferenceJobs(IObjectStore store, IBatchApi api, TimeProvider time)
{
    /// <summary>Limits and turns of all jobs together, beside those of the API's keys.</summary>
    private const string Owner = "inference-jobs";

    private readonly BatchJobs _jobs = new(store, time);

    /// <param name="messageId">The queue's own, the same at each delivery; names the job where the producer did not.</param>
    /// <exception cref="TransportException">The store can't be reached: the message is to be delivered again.</exception>
    public async ValueTask<JobOutcome> HandleAsync(string messageId, ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        if (JobMessage.Read(message, api, out string reason) is not { } job) return new JobOutcome(null, reason);
        string id = job.Id ?? (StoreId.IsPossible(messageId) ? messageId : StoreId.Of("job_", messageId));
        JobOutput output = Output(job, id);
        string input = job.Input ?? $"jobs/{id}/input.jsonl";
        if (job.Line is { } line)
        {
            if (await RefusalAsync(line, id, output, cancellationToken) is { } refusal) return new JobOutcome(null, refusal);
            await store.PutAsync(input, line, PutCondition.Absent, cancellationToken);
        }
        else if (!await store.ExistsAsync(input, cancellationToken))
        {
            return new JobOutcome(null, $"there is no object '{input}'");
        }

        long now = time.GetUtcNow().ToUnixTimeSeconds();
        BatchJob batch = await _jobs.CreateAsync(
            new BatchJob
            {
                Id = StoreId.Of("batch_job_", id), Owner = Owner, Input = input, Endpoint = job.Endpoint, Window = job.Window, Output = output,
                Times = new BatchTimes(now, now + (long)job.Window.TotalSeconds),
            },
            cancellationToken);
        return new JobOutcome(batch.Id, null);
    }

    /// <summary>A request that is not valid is told to the producer, too, where its result would have been.</summary>
    private async ValueTask<string?> RefusalAsync(byte[] line, string id, JobOutput output, CancellationToken cancellationToken)
    {
        if (api.Check(line, endpoint: null).Fault is { } fault) return fault.Message;
        if (api.Read(line, new RequestId(id)) is not { Refusal: { } refusal } read) return null;
        await store.PutAsync(output.Results, refusal.Json, PutCondition.Always, cancellationToken);
        return read.Why ?? "the request is not valid";
    }

    private static JobOutput Output(JobMessage job, string id)
    {
        if (job.Line is not null) return new JobOutput(job.Output ?? $"jobs/{id}/result.json", Errors: null);
        if (job.Output is not { } named) return new JobOutput($"jobs/{id}/output.jsonl", $"jobs/{id}/errors.jsonl");
        int slash = named.LastIndexOf('/'), dot = named.LastIndexOf('.');
        return new JobOutput(named, (dot > slash ? named[..dot] : named) + ".errors.jsonl");
    }
}
