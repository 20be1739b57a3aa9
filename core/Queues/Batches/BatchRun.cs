using R1Serverless.Storage;

namespace R1Serverless.Queues.Batches;

/// <summary>Drives one batch from where it is to its end. What it must remember is in the store at each moment, so that another process can go on
/// after it: which lines are in segments, how far the input was queued, and the results of lines between.</summary>
/// <param name="age">Of the batch now.</param>
/// <param name="allowance">Lines that may be in the queue at once, at the moment.</param>
internal sealed class BatchRun(
    OwnedBatch owned, TimeSpan age, Transport transport, WorkerDirectory? workers, BatchJobs jobs, IBatchApi api, BatchLimits limits,
    Func<int> allowance, TimeProvider time)
{
    private static readonly TimeSpan ReportInterval = TimeSpan.FromSeconds(1);

    private readonly long _begun = time.GetTimestamp();
    private readonly IObjectStore _store = transport.Store;
    private readonly Segments _segments = new(transport.Store, owned.Job.Id);
    private readonly LineResults _results = new(new ResultStore(transport.Store), owned.Job.Id, api);
    private readonly LineWindow _window = new(limits);
    private long _reported;

    private BatchJob Job => owned.Job;

    private TimeSpan Left => Job.Window - age - time.GetElapsedTime(_begun);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (Job.Times.InProgress is null && !await ValidateAsync(cancellationToken)) return;
        if (Job.State is BatchState.InProgress or BatchState.Cancelling && !await ProcessAsync(cancellationToken)) return;
        await new BatchFinish(owned, _segments, new FileStore(_store, time), jobs).RunAsync(cancellationToken);
    }

    private async ValueTask<bool> ValidateAsync(CancellationToken cancellationToken)
    {
        if (await OpenAsync(cancellationToken) is not { } reader) return await FailAsync(Gone, cancellationToken);
        await using (reader)
        {
            var check = await InputValidation.RunAsync(reader, api, Job.Endpoint, limits, cancellationToken);
            if (check.Faults.Count > 0) return await FailAsync(check.Faults, cancellationToken);
            await owned.UpdateAsync(
                job => job with
                {
                    State = job.State == BatchState.Validating ? BatchState.InProgress : job.State,
                    Times = job.Times with { InProgress = jobs.Now },
                    Counts = job.Counts with { Total = check.Lines },
                },
                cancellationToken);
            return true;
        }
    }

    private async ValueTask<bool> ProcessAsync(CancellationToken cancellationToken)
    {
        await AdoptSegmentsAsync(cancellationToken);
        if (await OpenAsync(cancellationToken) is not { } reader) return await FailAsync(Gone, cancellationToken);
        await using BatchLineFeeder feed = new(reader, Job, transport, workers, api, _window, limits, time);
        var pause = limits.PollLeast;
        while (true)
        {
            var givenUp = await GivenUpAsync(cancellationToken);
            var ended = await _results.ListAsync(cancellationToken);
            var moved = await _results.TakeAsync(_window, ended, cancellationToken);
            if (givenUp is { } reason) GiveUp(reason);
            moved |= await feed.FillAsync(Math.Max(1, allowance()), Job.Segments.Through, ended, Left, givenUp, cancellationToken);
            while (_window.NextSegment(feed.HasEnded) is { Count: > 0 } lines) await WriteSegmentAsync(lines, feed, cancellationToken);
            if (feed.HasEnded && _window.Count == 0) return true;
            await feed.RequeueAsync(() => OpenAsync(cancellationToken), Left, cancellationToken);
            await ReportAsync(feed, cancellationToken);
            if (givenUp is not null) continue;
            pause = moved ? limits.PollLeast : TimeSpan.FromTicks(Math.Min(pause.Ticks * 2, limits.PollMost.Ticks));
            await Task.Delay(pause < Left || Left <= TimeSpan.Zero ? pause : Left, time, cancellationToken);
        }
    }

    /// <summary>A driver before this one may have written a segment and not got as far as saying so.</summary>
    private async ValueTask AdoptSegmentsAsync(CancellationToken cancellationToken)
    {
        while (await _segments.FindAsync(Job.Segments.Count, cancellationToken) is { } head)
            await CountSegmentAsync(head, Job.Submitted, cancellationToken);
    }

    private async ValueTask<GivenUp?> GivenUpAsync(CancellationToken cancellationToken)
    {
        if (Job.State == BatchState.Cancelling)
        {
            await jobs.MarkCancelledAsync(Job.Id, cancellationToken);
            return GivenUp.BatchCancelled;
        }

        if (Job.IsExpired) return GivenUp.BatchExpired;
        if (Left > TimeSpan.Zero) return null;
        await owned.UpdateAsync(job => job with { IsExpired = true }, cancellationToken);
        await jobs.MarkCancelledAsync(Job.Id, cancellationToken);
        return GivenUp.BatchExpired;
    }

    private void GiveUp(GivenUp reason)
    {
        foreach (var line in _window.Open.ToArray()) _window.End(line, api.Write(line.Line, reason), mayForget: false);
    }

    private async ValueTask WriteSegmentAsync(IReadOnlyList<OpenLine> lines, BatchLineFeeder feed, CancellationToken cancellationToken)
    {
        List<LineOutput> outputs = new(lines.Count);
        foreach (var line in lines)
        {
            outputs.Add(
                line.Output ?? await _results.RenderAsync(line, cancellationToken)
                ?? throw new InvalidDataException($"The result of {line.Line.Id} is gone."));
        }

        var head = await _segments.PutAsync(Job.Segments.Count, lines[^1].Number, outputs, cancellationToken);
        // Results go only after the job says that they are in a segment, and only if this process still drives it: another one that took over reads
        // the job first.
        await CountSegmentAsync(head, feed.Submitted, cancellationToken);
        _window.DropThrough(head.Through);
        await _results.DeleteAsync(lines.Where(line => line.WasQueued && line.Number <= head.Through).Select(line => line.Number), cancellationToken);
    }

    private async ValueTask CountSegmentAsync(SegmentHead head, long submitted, CancellationToken cancellationToken) => await owned.UpdateAsync(
        job =>
        {
            var before = job.Segments;
            SegmentTotals totals = new(
                before.Count + 1, head.Through, before.Completed + head.Completed, before.Failed + head.Failed,
                before.OutputBytes + head.OutputBytes, before.ErrorBytes + head.ErrorBytes);
            return Counted(job with { Segments = totals, Submitted = Math.Max(job.Submitted, Math.Max(submitted, head.Through)) }, totals.Completed,
                totals.Failed);
        },
        cancellationToken);

    private async ValueTask ReportAsync(BatchLineFeeder feed, CancellationToken cancellationToken)
    {
        var completed = Job.Segments.Completed + _window.Completed;
        var failed = Job.Segments.Failed + _window.Failed;
        var isNews = completed > Job.Counts.Completed || failed > Job.Counts.Failed || feed.Submitted > Job.Submitted;
        if (!isNews || time.GetElapsedTime(_reported) < ReportInterval) return;
        _reported = time.GetTimestamp();
        await owned.UpdateAsync(job => Counted(job with { Submitted = Math.Max(job.Submitted, feed.Submitted) }, completed, failed),
            cancellationToken);
    }

    private static BatchJob Counted(BatchJob job, long completed, long failed) => job with
    {
        Counts = job.Counts with { Completed = Math.Max(job.Counts.Completed, completed), Failed = Math.Max(job.Counts.Failed, failed) },
    };

    private static LineFault[] Gone => [new("file_not_found", "The input file is no longer there.")];

    private async ValueTask<bool> FailAsync(IReadOnlyList<LineFault> faults, CancellationToken cancellationToken)
    {
        if (Job.Output is { } output)
            await _store.PutAsync(output.Results, BatchJson.Write(new(Job.Id, faults), BatchJson.Default.JobFailure), PutCondition.Always,
                cancellationToken);
        await owned.UpdateAsync(
            job => job.State == BatchState.Cancelling
                ? job with { State = BatchState.Cancelled, Times = job.Times with { Cancelled = jobs.Now } }
                : job with { State = BatchState.Failed, Times = job.Times with { Failed = jobs.Now }, Faults = faults },
            cancellationToken);
        return false;
    }

    private async ValueTask<LineReader?> OpenAsync(CancellationToken cancellationToken) =>
        await _store.OpenAsync(Job.Input, cancellationToken) is { } stream ? new LineReader(stream, limits.LineBytes) : null;
}
