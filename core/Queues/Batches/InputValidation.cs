namespace R1Serverless.Queues.Batches;

/// <summary>What the first pass over an input found.</summary>
/// <param name="Lines">How many requests there are.</param>
/// <param name="Faults">The first ones; empty if the input is valid.</param>
public sealed record InputValidation(long Lines, IReadOnlyList<LineFault> Faults)
{
    private const int MaxFaults = 100;

    /// <summary>Reads the whole input once and holds no more of it than a line and the hashes of its ids. A fault in a request's own body is that
    /// line's affair, and not looked for here.</summary>
    /// <param name="endpoint">The path that every line must name; null allows each of the API's.</param>
    public static async Task<InputValidation> RunAsync(LineReader reader, IBatchApi api, string? endpoint, BatchLimits limits,
        CancellationToken cancellationToken)
    {
        List<LineFault> faults = [];
        CustomIdSet ids = new();
        long lines = 0;
        while (faults.Count < MaxFaults && await reader.ReadAsync(cancellationToken))
        {
            if (reader.IsBlank) continue;
            if (++lines > limits.Lines)
            {
                faults.Add(new("too_many_requests", $"A batch may have at most {limits.Lines:N0} requests.", reader.Number));
                break;
            }

            if (Find(reader, api, endpoint, limits, ids) is { } fault) faults.Add(fault with { Line = reader.Number });
        }

        if (lines == 0) faults.Add(new("empty_file", "The input has no requests: it must have one JSON object a line."));
        return new InputValidation(lines, faults);
    }

    private static LineFault? Find(LineReader reader, IBatchApi api, string? endpoint, BatchLimits limits, CustomIdSet ids)
    {
        if (reader.IsTooLong) return new("line_too_long", $"A line may have at most {limits.LineBytes:N0} bytes.");
        (var customId, var fault) = api.Check(reader.Line, endpoint);
        if (fault is not null) return fault;
        return ids.Add(customId!) ? null
            : new("duplicate_custom_id", "An earlier line has the same 'custom_id'; each must be unique in its file.", Field: "custom_id");
    }
}
