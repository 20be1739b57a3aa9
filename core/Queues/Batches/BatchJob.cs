using R1Serverless.Abstractions;

namespace R1Serverless.Queues.Batches;

/// <summary>Where a batch is in its life, as in the OpenAI API.</summary>
public enum BatchState
{
    Validating,
    InProgress,

    /// <summary>All lines have ended; the files are being written.</summary>
    Finalizing,
    Completed,

    /// <summary>The input was not valid; nothing was run.</summary>
    Failed,

    /// <summary>The window closed first. What was done by then is in the output.</summary>
    Expired,

    /// <summary>Asked to stop; lines that have not ended are given up.</summary>
    Cancelling,
    Cancelled,
}

/// <summary>A bulk job: the lines of a file, each a request of its own. Kept as one object that is replaced only if nobody else has replaced it
/// meanwhile.</summary>
public sealed record BatchJob
{
    public required string Id { get; init; }

    /// <summary>As <see cref="InferenceRequest.Owner"/>.</summary>
    public required string Owner { get; init; }

    /// <summary>The object that holds the lines.</summary>
    public required string Input { get; init; }

    /// <summary>The file that the client named; null where the job came by a queue.</summary>
    public string? InputFile { get; init; }

    /// <summary>Lines of the input as its upload counted them; null where it came by a queue.</summary>
    public long? Lines { get; init; }

    /// <summary>The path that every line must name, such as /v1/chat/completions.</summary>
    public required string Endpoint { get; init; }

    /// <summary>How long after its creation the batch may run.</summary>
    public required TimeSpan Window { get; init; }

    public IReadOnlyDictionary<string, string>? Metadata { get; init; }

    /// <summary>Where the results go if not into files of the owner.</summary>
    public JobOutput? Output { get; init; }

    /// <summary>How long its output and error file are kept; null keeps them until they are deleted.</summary>
    public TimeSpan? OutputLifetime { get; init; }

    public BatchState State { get; init; }

    public required BatchTimes Times { get; init; }

    /// <summary>Counts never fall. Lines that were given up count as failed.</summary>
    public BatchCounts Counts { get; init; } = new(0, 0, 0);

    /// <summary>Why the input was refused.</summary>
    public IReadOnlyList<LineFault> Faults { get; init; } = [];

    /// <summary>The file of results; null if there is none (yet).</summary>
    public string? OutputFile { get; init; }

    /// <summary>The file of lines that failed; null if there is none (yet).</summary>
    public string? ErrorFile { get; init; }

    /// <summary>The window closed before all lines had ended.</summary>
    public bool IsExpired { get; init; }

    /// <summary>Every line up to this one has been put into the queue, or has ended before.</summary>
    public long Submitted { get; init; }

    /// <summary>The segments that are written.</summary>
    public SegmentTotals Segments { get; init; } = new(0, 0, 0, 0, 0, 0);

    /// <summary>How often driving it ended in a fault of ours.</summary>
    public int DriverFaults { get; init; }

    /// <summary>Null while nobody drives it.</summary>
    public DriverMark? Driver { get; init; }

    /// <summary>Lines that have not ended, as far as is known; one at least while the batch has not.</summary>
    public long OpenLines => IsEnded ? 0 : Math.Max(1, (Counts.Total > 0 ? Counts.Total : Lines ?? 1) - Counts.Completed - Counts.Failed);

    /// <summary>Whether it has ended, one way or another.</summary>
    public bool IsEnded => State is BatchState.Completed or BatchState.Failed or BatchState.Expired or BatchState.Cancelled;
}

/// <summary>Moments in Unix seconds, by the clock of the process that wrote them.</summary>
public sealed record BatchTimes(long Created, long Expires)
{
    public long? InProgress { get; init; }

    public long? Finalizing { get; init; }

    public long? Completed { get; init; }

    public long? Failed { get; init; }

    public long? Expired { get; init; }

    public long? Cancelling { get; init; }

    public long? Cancelled { get; init; }
}

public sealed record BatchCounts(long Total, long Completed, long Failed);

/// <summary>What is wrong with an input file.</summary>
/// <param name="Line">From 1; null where it is the whole file.</param>
/// <param name="Field">With its path within the line; null where it is the whole line.</param>
public sealed record LineFault(string Code, string Message, long? Line = null, string? Field = null);

/// <summary>Objects that a job writes: its results in the order of the input, and its errors; both into the first where the second is null.</summary>
public sealed record JobOutput(string Results, string? Errors);

/// <param name="Count">How many segments.</param>
/// <param name="Through">The last line in them, from 1; 0 means none.</param>
public sealed record SegmentTotals(int Count, long Through, long Completed, long Failed, long OutputBytes, long ErrorBytes);

/// <summary>Who drives a batch. The beat changes with every write, so that others see the driver alive without comparing clocks.</summary>
public sealed record DriverMark(string Name, long Beat);
