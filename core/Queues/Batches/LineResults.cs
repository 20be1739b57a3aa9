using R1Serverless.Abstractions;

namespace R1Serverless.Queues.Batches;

/// <summary>The results of a batch's lines, and what they become in its output.</summary>
internal sealed class LineResults(ResultStore results, string batch, IBatchApi api)
{
    // Reads and deletes at once: a remote store answers each in milliseconds.
    private const int AtOnce = 8;

    /// <summary>The lines that have a result.</summary>
    public async ValueTask<IReadOnlySet<long>> ListAsync(CancellationToken cancellationToken)
    {
        HashSet<long> ended = [];
        await foreach (var id in results.ListAsync(batch, cancellationToken))
        {
            if (long.TryParse(id.Value.AsSpan(batch.Length + 1), out var number)) ended.Add(number);
        }

        return ended;
    }

    /// <summary>Ends the lines of a window that have a result; whether there was any.</summary>
    public async ValueTask<bool> TakeAsync(LineWindow window, IReadOnlySet<long> ended, CancellationToken cancellationToken)
    {
        OpenLine[] lines = [.. window.Open.Where(line => ended.Contains(line.Number))];
        await Parallel.ForEachAsync(lines, Options(cancellationToken), async (line, stop) =>
        {
            if (await RenderAsync(line, stop) is { } output) window.End(line, output, mayForget: true);
        });
        return lines.Length > 0;
    }

    /// <summary>Null if the line has no result.</summary>
    public async ValueTask<LineOutput?> RenderAsync(OpenLine line, CancellationToken cancellationToken)
    {
        try
        {
            return await results.FindAsync(line.Line.Id, cancellationToken) is { } result ? api.Write(line.Line, result) : null;
        }
        catch (MalformedMessageException fault)
        {
            InferenceError error = new(InferenceErrorKind.Undeliverable, $"The result can't be read. {fault.Message}");
            return api.Write(line.Line, new InferenceResult { Id = line.Line.Id, Outcome = RequestOutcome.DeadLettered, Error = error });
        }
    }

    public Task DeleteAsync(IEnumerable<long> numbers, CancellationToken cancellationToken) =>
        Parallel.ForEachAsync(numbers, Options(cancellationToken),
            async (number, stop) => await results.DeleteAsync(BatchLineFeeder.IdOf(batch, number), stop));

    private static ParallelOptions Options(CancellationToken cancellationToken) =>
        new() { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken };
}
