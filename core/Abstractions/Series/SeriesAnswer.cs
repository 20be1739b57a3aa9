using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Abstractions.Series;

/// <summary>What became of the events of one request to a series.</summary>
public sealed record SeriesAnswer
{
    public required string Key { get; init; }

    /// <summary>The number of the request's first event; a series begins with 0.</summary>
    public long First { get; init; }

    /// <summary>The number of the event that comes next.</summary>
    public long Next { get; init; }

    /// <summary>One for each window that became full, in order; empty where none did.</summary>
    public IReadOnlyList<SeriesDecision> Decisions { get; init; } = [];

    /// <summary>Scores of at least this are decided true; null where there is none.</summary>
    public double? Threshold { get; init; }

    /// <summary>The last decision's outputs: those that were asked for, or all but the states where the model has no score.</summary>
    public IReadOnlyList<Tensor> Outputs { get; init; } = [];

    /// <summary>Events that are still to come until the next decision, at least 1.</summary>
    public int Missing { get; init; }

    /// <summary>Events that are kept for the next window.</summary>
    public int Steps { get; init; }

    /// <summary>What was before these events came from the request's history.</summary>
    public bool IsRebuilt { get; init; }

    /// <summary>The request came twice, and this is its first answer.</summary>
    public bool IsRepeated { get; init; }

    /// <summary>Of a request to forget the series: whether it was there. Null for others.</summary>
    public bool? IsRemoved { get; init; }

    /// <summary>Waited for the series' earlier events, for the model and for a run.</summary>
    public TimeSpan Queued { get; init; }

    /// <summary>In runs of the graph.</summary>
    public TimeSpan Ran { get; init; }

    /// <summary>In the process that has the model, from the request to this answer.</summary>
    public TimeSpan Total { get; init; }
}

/// <summary>What a model says of one window.</summary>
/// <param name="Event">The number of the window's last event.</param>
/// <param name="Score">Null where the model has none; may be no number.</param>
/// <param name="Label">The likeliest; null where the model has no labels.</param>
public sealed record SeriesDecision(long Event, double? Score, string? Label);
