using R1Serverless.Models;
using R1Serverless.Requests;

namespace R1Serverless.Hosting;

/// <summary>One model that can be asked, listed by GET /v1/models.</summary>
internal sealed record ServedModel
{
    public required string Id { get; init; }

    public required DateTimeOffset Created { get; init; }

    public required string OwnedBy { get; init; }

    /// <summary>Tokens of prompt and completion together.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Where it runs, such as cpu.</summary>
    public required string Device { get; init; }

    /// <summary>A snapshot of its variants, in the order of the manifest; safe to ask from any thread.</summary>
    public required Func<IReadOnlyList<ServedVariant>> Variants { get; init; }
}

/// <summary>A variant as it is right now.</summary>
/// <param name="Bytes">Its size on the disk.</param>
/// <param name="Evaluation">What was measured on this device; null where nothing was.</param>
/// <param name="Loaded">Null while it is only on the disk.</param>
internal sealed record ServedVariant(Precision Precision, long Bytes, VariantEvaluation? Evaluation, VariantLife? Loaded);

/// <summary>A variant in memory.</summary>
/// <param name="Running">Sequences that hold a slot.</param>
/// <param name="Waiting">Sequences that wait for one.</param>
internal sealed record VariantLife(TimeSpan LoadTime, TimeSpan WarmupTime, int Running, int Waiting);
