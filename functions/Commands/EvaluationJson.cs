using System.Globalization;
using System.Text.Json.Nodes;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Evaluation;

namespace R1Serverless.Commands;

/// <summary>An evaluation's report for programs: one JSON object.</summary>
internal static class EvaluationJson
{
    public static JsonObject Of(ModelReport report) => new()
    {
        ["model"] = report.Model,
        ["device"] = report.Device,
        ["reference"] = PrecisionName.Of(report.Reference.Variant.Precision),
        ["tolerance"] = report.Tolerance,
        ["variants"] = new JsonArray([.. report.Variants.Select(variant => Variant(report, variant))]),
    };

    private static JsonObject Variant(ModelReport report, VariantReport variant) => new()
    {
        ["precision"] = PrecisionName.Of(variant.Variant.Precision),
        ["kv"] = $"{variant.Variant.Kv}".ToLowerInvariant(),
        ["total"] = Score(variant.Answers.Total),
        ["families"] = new JsonObject(variant.Answers.Families.Select(score => KeyValuePair.Create(score.Family, (JsonNode?)Score(score)))),
        ["accuracy_drop"] = Math.Round(report.Drop(variant), 3),
        ["within_tolerance"] = report.Evaluation(variant).IsWithinTolerance,
        ["token_agreement"] = Math.Round(variant.Agreement.TokenShare, 6),
        ["kl_divergence"] = variant.Agreement.MeanDivergence,
        ["compared_tokens"] = variant.Agreement.Tokens,
        ["tokens_per_second"] = new JsonObject(variant.TokensPerSecond.Select(rate =>
            KeyValuePair.Create(rate.Key.ToString(CultureInfo.InvariantCulture), (JsonNode?)Math.Round(rate.Value, 1)))),
        ["bytes"] = variant.Variant.Bytes,
        ["memory_bytes"] = variant.MemoryBytes,
        ["completion_tokens"] = variant.Answers.CompletionTokens,
        ["seconds"] = Math.Round(variant.Answers.Duration.TotalSeconds, 3),
        ["wrong"] = new JsonArray([.. variant.Answers.Answers.Where(answer => !answer.IsRight).Select(Wrong)]),
    };

    private static JsonObject Score(FamilyScore score) => new()
    {
        ["right"] = score.Right, ["tasks"] = score.Tasks, ["errors"] = score.Errors, ["accuracy"] = Math.Round(score.Accuracy, 5),
    };

    private static JsonObject Wrong(EvaluatedAnswer answer)
    {
        JsonObject wrong = new()
        {
            ["family"] = answer.Task.Family, ["prompt"] = answer.Task.Prompt, ["right"] = answer.Task.Answer, ["answered"] = answer.Text,
        };
        if (answer.Error is { } error) wrong["error"] = error.Message;
        return wrong;
    }
}
