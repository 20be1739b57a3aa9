using R1Serverless.Abstractions;
using R1Serverless.Queues.Batches;

namespace R1Serverless.Commands.Offline;

/// <summary>Where a run over a file stands.</summary>
/// <param name="Total">Requests in the file.</param>
/// <param name="Before">Those that earlier runs have done.</param>
/// <param name="Ended">Those that ended in this run.</param>
/// <param name="Failed">Of these, those that failed.</param>
/// <param name="Tokens">Completion tokens of this run.</param>
internal readonly record struct OfflineProgress(long Total, long Before, long Ended, long Failed, long Tokens)
{
    public long Done => Before + Ended;
}

/// <summary>Runs the requests of a file on an engine, several at once, each once: what the journal has is not run again.</summary>
/// <param name="atOnce">Requests that run at once.</param>
/// <param name="broken">Told of a line whose answer met a fault of ours; may be called by several threads.</param>
internal sealed class OfflineBatch(
    FileInfo input, BatchJournal journal, IBatchApi api, IInference inference, int atOnce, BatchLimits limits, Action<BatchLine, Exception> broken)
{
    private long _total;
    private long _before;
    private long _ended;
    private long _failed;
    private long _tokens;

    public OfflineProgress Progress => new(
        Interlocked.Read(ref _total), Interlocked.Read(ref _before), Interlocked.Read(ref _ended), Interlocked.Read(ref _failed),
        Interlocked.Read(ref _tokens));

    /// <summary>Returns when all lines have ended. Cancelled, it leaves those that had ended in the journal.</summary>
    /// <param name="total">Requests in the file.</param>
    public async Task RunAsync(long total, CancellationToken cancellationToken)
    {
        Interlocked.Exchange(ref _total, total);
        using SemaphoreSlim places = new(atOnce);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        HashSet<Task> running = [];
        try
        {
            await using LineReader reader = new(input.OpenRead(), limits.LineBytes);
            while (await reader.ReadAsync(stop.Token))
            {
                if (reader.IsBlank) continue;
                var hash = CustomIdSet.Hash(reader.Line.Span);
                if (journal.Has(hash))
                {
                    Interlocked.Increment(ref _before);
                    continue;
                }

                await places.WaitAsync(stop.Token);
                foreach (var ended in running.Where(task => task.IsCompleted).ToArray())
                {
                    running.Remove(ended);
                    await ended;
                }

                running.Add(RunAsync(hash, api.Read(reader.Line, RequestId.New()), places, stop.Token));
            }

            await Task.WhenAll(running);
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll(running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Writes what the journal has in the order of the input; returns how many lines there are of each kind.</summary>
    public async Task<(long Answered, long Failed)> WriteAsync(Stream answers, Stream errors, CancellationToken cancellationToken)
    {
        (long answered, long failed) = (0, 0);
        await using LineReader reader = new(input.OpenRead(), limits.LineBytes);
        while (await reader.ReadAsync(cancellationToken))
        {
            if (reader.IsBlank) continue;
            var output = journal.Read(CustomIdSet.Hash(reader.Line.Span));
            await (output.IsError ? errors : answers).WriteAsync(output.Json, cancellationToken);
            if (output.IsError) failed++;
            else answered++;
        }

        return (answered, failed);
    }

    private async Task RunAsync(UInt128 hash, BatchLine line, SemaphoreSlim places, CancellationToken cancellationToken)
    {
        try
        {
            var output = line.Refusal ?? await AnswerAsync(line, cancellationToken);
            journal.Append(hash, output);
            if (output.IsError) Interlocked.Increment(ref _failed);
            Interlocked.Increment(ref _ended);
        }
        finally
        {
            places.Release();
        }
    }

    private async Task<LineOutput> AnswerAsync(BatchLine line, CancellationToken cancellationToken)
    {
        ResultFold fold = new(line.Id, line.Request!.TopLogprobs is not null);
        try
        {
            await foreach (var inferenceEvent in inference.RunAsync(line.Request!, cancellationToken))
            {
                fold.Add(inferenceEvent);
                if (inferenceEvent is InferenceEvent.Finished { Usage: var usage }) Interlocked.Add(ref _tokens, usage.CompletionTokens);
            }

            return api.Write(line, fold.Result());
        }
        catch (Exception fault) when (fault is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            // The boundary of one line: the others are answered all the same.
            broken(line, fault);
            fold = new(line.Id);
            fold.Add(new InferenceEvent.Failed(new InferenceError(InferenceErrorKind.Internal, fault.Message)));
            return api.Write(line, fold.Result());
        }
    }
}
