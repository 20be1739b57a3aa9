using R1Serverless.Models;

namespace R1Serverless.Engine.Evaluation;

/// <summary>What came of evaluating the variants of a model over tensors in one run.</summary>
/// <param name="Model">The model's name.</param>
/// <param name="Samples">How many requests were asked of each variant.</param>
/// <param name="Measure">What answers were compared by.</param>
/// <param name="Variants">At least one, with what the manifest keeps. The first is the most exact, which the others are compared to.</param>
public sealed record TensorReport(
    string Model, int Samples, AnswerMeasure Measure, IReadOnlyList<(ModelVariant Variant, VariantEvaluation Evaluation)> Variants);
