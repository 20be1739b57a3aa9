using R1Serverless.Abstractions;

namespace R1Serverless.Queues.Batches;

/// <summary>Reads the input and puts its lines into the queue, a window of them at a time.</summary>
/// <param name="reader">At the input's start; this takes ownership.</param>
/// <param name="batch">Its id.</param>
internal sealed class BatchLineFeeder(
    LineReader reader, BatchJob batch, Transport transport, WorkerDirectory? workers, IBatchApi api, LineWindow window, BatchLimits limits,
    TimeProvider time)
    : IAsyncDisposable
{
    // Messages of one call: the transport may send them together.
    private const int Together = 32;

    private readonly List<QueuedRequest> _unsent = [];
    private readonly ResultStore _results = new(transport.Store);

    public bool HasEnded { get; private set; }

    /// <summary>Every line up to here is in the queue, or has ended.</summary>
    public long Submitted { get; private set; } = batch.Submitted;

    /// <summary>What a line's request is called.</summary>
    public static RequestId IdOf(string batch, long number) => new($"{batch}-{number}");

    /// <summary>Reads on while lines may be added; whether any was.</summary>
    /// <param name="most">Lines that may be in the queue at once.</param>
    /// <param name="after">Lines up to this one are in segments.</param>
    /// <param name="ended">Lines that have a result.</param>
    /// <param name="left">Of the batch's time; later lines are not started.</param>
    /// <param name="givenUp">Why no line is to be run any more; null while they are.</param>
    public async ValueTask<bool> FillAsync(int most, long after, IReadOnlySet<long> ended, TimeSpan left, GivenUp? givenUp,
        CancellationToken cancellationToken)
    {
        var before = window.Count;
        var reached = Submitted;
        while (!HasEnded && !window.IsFull && (window.Outstanding < most || givenUp is not null))
        {
            HasEnded = !await reader.ReadAsync(cancellationToken);
            if (HasEnded || reader.IsBlank || reader.Number <= after) continue;
            reached = reader.Number;
            var line = api.Read(reader.Line, IdOf(batch.Id, reached));
            OpenLine open = new(reached, line with { Request = null }) { WasQueued = line.Request is not null, LostAt = Lost(0) };
            window.Add(open);
            if (line.Refusal is { } refusal) window.End(open, refusal, mayForget: false);
            else if (ended.Contains(reached)) continue;
            else if (givenUp is { } reason) window.End(open, api.Write(line, reason), mayForget: false);
            else if (reached > batch.Submitted) await AddAsync(line, left, cancellationToken);
            if (_unsent.Count >= Together) await SendAsync(reached, cancellationToken);
        }

        await SendAsync(reached, cancellationToken);
        return window.Count > before;
    }

    /// <summary>Puts lines into the queue again whose results have been missing for very long: their messages may be lost. One that is not lost does
    /// no harm.</summary>
    public async ValueTask RequeueAsync(Func<ValueTask<LineReader?>> open, TimeSpan left, CancellationToken cancellationToken)
    {
        var now = time.GetTimestamp();
        var lost = window.Open.Where(line => line.LostAt <= now).ToDictionary(line => line.Number);
        if (lost.Count == 0 || await open() is not { } again) return;
        await using (again)
        {
            while (lost.Count > 0 && await again.ReadAsync(cancellationToken))
            {
                if (!lost.Remove(again.Number, out var line)) continue;
                line.LostAt = Lost(++line.Requeued);
                var read = api.Read(again.Line, line.Line.Id);
                if (read.Request is not null) await AddAsync(read, left, cancellationToken);
                if (_unsent.Count >= Together) await SendAsync(Submitted, cancellationToken);
            }
        }

        await SendAsync(Submitted, cancellationToken);
    }

    public ValueTask DisposeAsync() => reader.DisposeAsync();

    private async ValueTask SendAsync(long reached, CancellationToken cancellationToken)
    {
        if (_unsent.Count > 0) await transport.Queue.EnqueueAsync([.. _unsent], cancellationToken);
        _unsent.Clear();
        Submitted = Math.Max(Submitted, reached);
    }

    /// <summary>Prepares a line for the queue; one that no worker would answer has its result at once, in the store, where another driver finds it
    /// too.</summary>
    private async ValueTask AddAsync(BatchLine line, TimeSpan left, CancellationToken cancellationToken)
    {
        var request = line.Request! with { Owner = batch.Owner, Deadline = line.Request.Deadline is { } own && own < left ? own : left };
        var check = workers is null ? RouteCheck.Served : await workers.CheckAsync(RequestRoute.Of(request), cancellationToken);
        if (check.Refusal is { } refusal)
        {
            InferenceResult failed = new() { Id = line.Id, Outcome = RequestOutcome.Failed, Error = refusal };
            await _results.TryPutAsync(failed, cancellationToken);
            return;
        }

        _unsent.Add(new QueuedRequest { Request = request, Class = WorkClass.Bulk, Batch = batch.Id, IsForAny = !check.IsServed });
    }

    private long Lost(int requeued) => time.GetTimestamp() + (long)(limits.Lost.TotalSeconds * Math.Pow(2, requeued) * time.TimestampFrequency);
}
