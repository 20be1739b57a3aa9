using R1Serverless.Abstractions;
using R1Serverless.Engine.Evaluation;
using R1Serverless.Models;

namespace R1Serverless.Tests.Commands;

/// <summary>Reports that tests write out.</summary>
internal static class EvaluationReports
{
    public static readonly DateTimeOffset Measured = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);

    /// <summary>Of two tasks the reference answers both, the other one: a drop of 50 points.</summary>
    public static ModelReport Of(Precision reference, Precision other, InferenceError? error = null) => new("r1-nano", "cpu", Measured, 1.2,
    [
        new VariantReport(Variant(reference), Answers("2", "6"), Agreement.Full, new Dictionary<int, double> { [1] = 100, [8] = 400 }, 3_000_000),
        new VariantReport(Variant(other), Answers("2", "7", error), new Agreement(1000, 999, 12),
            new Dictionary<int, double> { [1] = 200, [8] = 1234.5 }, 1_000_000),
    ]);

    public static ModelVariant Variant(Precision precision) => new(precision, $"{precision}.onnx", null, 4_000_000);

    private static EvaluationReport Answers(string first, string second, InferenceError? error = null) => new(
        "r1-nano",
        [
            new EvaluatedAnswer(new EvaluationTask("add", "1+1", "2"), first, 5, null),
            new EvaluatedAnswer(new EvaluationTask("times", "[2]*3", "6"), second, 5, error),
        ],
        TimeSpan.FromSeconds(2));
}
