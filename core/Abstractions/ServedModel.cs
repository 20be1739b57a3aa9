using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Abstractions;

/// <summary>One model that can be asked, as it is right now.</summary>
public sealed record ServedModel
{
    public required string Id { get; init; }

    public required DateTimeOffset Created { get; init; }

    public required string OwnedBy { get; init; }

    /// <summary>Tokens of prompt and completion together; 0 for a model that is no decoder.</summary>
    public required int ContextLength { get; init; }

    /// <summary>What a model that is no decoder takes and gives; null for a decoder.</summary>
    public TensorSignature? Signature { get; init; }

    /// <summary>What can be asked of it with texts or images, beside its tensors; null where it is no encoder.</summary>
    public TextTask? Task { get; init; }

    /// <summary>Whether it reads images; it reads no texts then.</summary>
    public bool TakesImages => Signature?.Inputs.Any(input => input.TakesImages) == true;

    /// <summary>Whether it takes the events of series, beside its tensors.</summary>
    public bool IsSeries { get; init; }

    /// <summary>Where it runs, such as cpu.</summary>
    public required string Device { get; init; }

    /// <summary>In the order of the manifest.</summary>
    public required IReadOnlyList<ServedVariant> Variants { get; init; }

    /// <summary>Of a model that comes from a repository: the one that takes requests first. Empty for others.</summary>
    public IReadOnlyList<ServedVersion> Versions { get; init; } = [];
}

/// <summary>A version of a model, and what it is about with it.</summary>
/// <param name="Reason">Why it does not serve, for the operator; null where it does.</param>
/// <param name="Workers">How many say so of it, at least one.</param>
public sealed record ServedVersion(string Version, VersionState State, string? Reason, int Workers = 1);

/// <summary>Where a version stands.</summary>
public enum VersionState
{
    /// <summary>Takes requests.</summary>
    Active,

    /// <summary>Finishes those it has.</summary>
    Retiring,
    Fetching,
    Loading,

    /// <summary>For the end of the old one's requests, as both do not fit into the memory.</summary>
    Waiting,

    /// <summary>Could not be fetched, loaded or accepted; the one before serves on.</summary>
    Failed,
}

/// <summary>States as answers and logs write them.</summary>
public static class VersionStateName
{
    public static string Of(VersionState state) => state switch
    {
        VersionState.Active => "active",
        VersionState.Retiring => "retiring",
        VersionState.Fetching => "fetching",
        VersionState.Loading => "loading",
        VersionState.Waiting => "waiting",
        VersionState.Failed => "failed",
        _ => throw new ArgumentOutOfRangeException(nameof(state)),
    };
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

    /// <summary>Whether prompts that begin alike are computed once.</summary>
    public bool SharesPrefixes { get; init; }
}
