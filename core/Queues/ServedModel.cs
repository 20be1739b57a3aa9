using R1Serverless.Requests;

namespace R1Serverless.Queues;

/// <summary>One model that can be asked, as it is right now.</summary>
public sealed record ServedModel
{
    public required string Id { get; init; }

    public required DateTimeOffset Created { get; init; }

    public required string OwnedBy { get; init; }

    /// <summary>Tokens of prompt and completion together.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Where it runs, such as cpu.</summary>
    public required string Device { get; init; }

    /// <summary>In the order of the manifest.</summary>
    public required IReadOnlyList<ServedVariant> Variants { get; init; }
}

/// <summary>A variant as it is right now.</summary>
/// <param name="Bytes">Its size on the disk.</param>
/// <param name="Evaluation">What was measured on this device; null where nothing was.</param>
/// <param name="Loaded">Null while it is only on the disk.</param>
public sealed record ServedVariant(Precision Precision, long Bytes, MeasuredVariant? Evaluation, VariantLife? Loaded);

/// <param name="Accuracy">Exact answers, 0 to 1.</param>
/// <param name="AccuracyDrop">Points of percent below fp32.</param>
/// <param name="IsWithinTolerance">Whether "auto" may choose the variant at all.</param>
/// <param name="TokensPerSecond">By the number of rows at once.</param>
public sealed record MeasuredVariant(double Accuracy, double AccuracyDrop, bool IsWithinTolerance, IReadOnlyDictionary<int, double> TokensPerSecond);

/// <summary>A variant in memory.</summary>
/// <param name="Running">Sequences that hold a slot.</param>
/// <param name="Waiting">Sequences that wait for one.</param>
public sealed record VariantLife(TimeSpan LoadTime, TimeSpan WarmupTime, int Running, int Waiting)
{
    /// <summary>Whether it runs what `r1 model prepare` made.</summary>
    public bool IsPrepared { get; init; }
}
