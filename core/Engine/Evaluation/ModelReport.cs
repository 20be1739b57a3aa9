using R1Serverless.Models;

namespace R1Serverless.Engine.Evaluation;

/// <summary>What came of evaluating a model's variants in one run.</summary>
/// <param name="Model">The model's name.</param>
/// <param name="Device">The execution provider: cpu or cuda.</param>
/// <param name="Measured">When it ended.</param>
/// <param name="Tolerance">The accuracy drop that was allowed, in points of percent.</param>
/// <param name="Variants">At least one. The first is the reference, which the others are compared to.</param>
public sealed record ModelReport(string Model, string Device, DateTimeOffset Measured, double Tolerance, IReadOnlyList<VariantReport> Variants)
{
    public VariantReport Reference => Variants[0];

    /// <summary>Points of percent below the reference's accuracy; negative where it is better.</summary>
    public double Drop(VariantReport variant) => 100 * (Reference.Answers.Total.Accuracy - variant.Answers.Total.Accuracy);

    /// <summary>As the manifest keeps it.</summary>
    public VariantEvaluation Evaluation(VariantReport variant) => new()
    {
        Device = Device,
        Measured = Measured,
        Tasks = variant.Answers.Total.Tasks,
        Accuracy = variant.Answers.Total.Accuracy,
        AccuracyDrop = Drop(variant),
        TokenAgreement = variant.Agreement.TokenShare,
        KlDivergence = variant.Agreement.MeanDivergence,
        Tolerance = Tolerance,
        TokensPerSecond = variant.TokensPerSecond,
        MemoryBytes = variant.MemoryBytes,
    };
}

/// <summary>One variant of it.</summary>
/// <param name="Variant">What was measured.</param>
/// <param name="Answers">What it answered.</param>
/// <param name="Agreement">With the reference.</param>
/// <param name="TokensPerSecond">Decoded tokens per second by rows.</param>
/// <param name="MemoryBytes">What a process grew by when it loaded the variant and ran its largest batch.</param>
public sealed record VariantReport(
    ModelVariant Variant, EvaluationReport Answers, Agreement Agreement, IReadOnlyDictionary<int, double> TokensPerSecond, long MemoryBytes);
