namespace R1Serverless.Hosting;

/// <summary>One model that is loaded, warmed, and listed by GET /v1/models.</summary>
internal sealed record ServedModel
{
    public required string Id { get; init; }

    public required DateTimeOffset Created { get; init; }

    public required string OwnedBy { get; init; }

    /// <summary>Tokens of prompt and completion together.</summary>
    public required int ContextLength { get; init; }

    /// <summary>The variant's precision, such as fp32.</summary>
    public required string Precision { get; init; }

    /// <summary>Where it runs, such as cpu.</summary>
    public required string Device { get; init; }

    /// <summary>The variant's size on disk.</summary>
    public required long Bytes { get; init; }

    public required TimeSpan LoadTime { get; init; }

    public required TimeSpan WarmupTime { get; init; }

    /// <summary>A snapshot of the engine's sequences; safe to ask from any thread.</summary>
    public required Func<SequenceCounts> Counts { get; init; }
}

/// <summary>Sequences that hold a slot, and those that wait for one.</summary>
internal readonly record struct SequenceCounts(int Running, int Waiting);
