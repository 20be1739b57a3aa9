namespace R1Serverless.Queues.Batches;

/// <summary>Makes the files of a batch whose lines are all in segments. Done twice, it does the same.</summary>
internal sealed class BatchFinish(OwnedBatch owned, Segments segments, FileStore files, BatchJobs jobs)
{
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        // The ids are chosen before the files are made, so that a process that goes on makes the same ones.
        var job = await owned.UpdateAsync(
            now => now with
            {
                State = now.State == BatchState.InProgress ? BatchState.Finalizing : now.State,
                Times = now.Times with { Finalizing = now.Times.Finalizing ?? (now.State == BatchState.Cancelling ? null : jobs.Now) },
                OutputFile = now.OutputFile ?? (now.Output is null && now.Segments.Completed > 0 ? files.NewId() : null),
                ErrorFile = now.ErrorFile ?? (now.Output is null && now.Segments.Failed > 0 ? files.NewId() : null),
            },
            cancellationToken);
        if (job.Output is { } output)
        {
            await segments.ConcatenateAsync(output.Results, job.Segments.Count, output: true, errors: output.Errors is null, cancellationToken);
            if (output.Errors is { } errors && job.Segments.Failed > 0)
                await segments.ConcatenateAsync(errors, job.Segments.Count, output: false, errors: true, cancellationToken);
        }

        await AddFileAsync(job, job.OutputFile, "output", isErrors: false, cancellationToken);
        await AddFileAsync(job, job.ErrorFile, "errors", isErrors: true, cancellationToken);
        await owned.UpdateAsync(End, cancellationToken);
    }

    private async ValueTask AddFileAsync(BatchJob job, string? id, string kind, bool isErrors, CancellationToken cancellationToken)
    {
        if (id is null) return;
        var size = await segments.ConcatenateAsync(FileStore.Content(id), job.Segments.Count, output: !isErrors, errors: isErrors, cancellationToken);
        await files.AddAsync(id, job.Owner, $"{job.Id}_{kind}.jsonl", FileStore.OutputPurpose, size, job.OutputLifetime, cancellationToken);
    }

    private BatchJob End(BatchJob job)
    {
        var counts = job.Counts with { Completed = job.Segments.Completed, Failed = job.Segments.Failed };
        var times = job.Times;
        return job.State == BatchState.Cancelling
            ? job with { State = BatchState.Cancelled, Times = times with { Cancelled = jobs.Now }, Counts = counts }
            : job.IsExpired ? job with { State = BatchState.Expired, Times = times with { Expired = jobs.Now }, Counts = counts }
            : job with { State = BatchState.Completed, Times = times with { Completed = jobs.Now }, Counts = counts };
    }
}
