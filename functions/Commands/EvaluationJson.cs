using System.Globalization;
using System.Text.Json;
using R1Serverless.Generation;
using R1Serverless.OpenAi;
using R1Serverless.Requests;

namespace R1Serverless.Commands;

/// <summary>An evaluation's report for programs: one JSON object.</summary>
internal static class EvaluationJson
{
    public static void Write(ModelReport report, Stream output)
    {
        using (Utf8JsonWriter json = new(output, new JsonWriterOptions { Indented = true, Encoder = WireJson.Encoder }))
        {
            json.WriteStartObject();
            json.WriteString("model", report.Model);
            json.WriteString("device", report.Device);
            json.WriteString("reference", PrecisionName.Of(report.Reference.Variant.Precision));
            json.WriteNumber("tolerance", report.Tolerance);
            json.WriteStartArray("variants");
            foreach (VariantReport variant in report.Variants) WriteVariant(json, report, variant);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        output.Write("\n"u8);
        output.Flush();
    }

    private static void WriteVariant(Utf8JsonWriter json, ModelReport report, VariantReport variant)
    {
        json.WriteStartObject();
        json.WriteString("precision", PrecisionName.Of(variant.Variant.Precision));
        json.WriteString("kv", KvOption.Name(variant.Variant.Kv));
        WriteScore(json, "total", variant.Answers.Total);
        json.WriteStartObject("families");
        foreach (FamilyScore score in variant.Answers.Families) WriteScore(json, score.Family, score);
        json.WriteEndObject();
        json.WriteNumber("accuracy_drop", Math.Round(report.Drop(variant), 3));
        json.WriteBoolean("within_tolerance", report.Evaluation(variant).IsWithinTolerance);
        json.WriteNumber("token_agreement", Math.Round(variant.Agreement.TokenShare, 6));
        json.WriteNumber("kl_divergence", variant.Agreement.MeanDivergence);
        json.WriteNumber("compared_tokens", variant.Agreement.Tokens);
        json.WriteStartObject("tokens_per_second");
        foreach ((int rows, double rate) in variant.TokensPerSecond) json.WriteNumber(rows.ToString(CultureInfo.InvariantCulture), Math.Round(rate, 1));
        json.WriteEndObject();
        json.WriteNumber("bytes", variant.Variant.Bytes);
        json.WriteNumber("memory_bytes", variant.MemoryBytes);
        json.WriteNumber("completion_tokens", variant.Answers.CompletionTokens);
        json.WriteNumber("seconds", Math.Round(variant.Answers.Duration.TotalSeconds, 3));
        json.WriteStartArray("wrong");
        foreach (EvaluatedAnswer answer in variant.Answers.Answers.Where(a => !a.IsRight)) WriteWrong(json, answer);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteScore(Utf8JsonWriter json, string name, FamilyScore score)
    {
        json.WriteStartObject(name);
        json.WriteNumber("right", score.Right);
        json.WriteNumber("tasks", score.Tasks);
        json.WriteNumber("errors", score.Errors);
        json.WriteNumber("accuracy", Math.Round(score.Accuracy, 5));
        json.WriteEndObject();
    }

    private static void WriteWrong(Utf8JsonWriter json, EvaluatedAnswer answer)
    {
        json.WriteStartObject();
        json.WriteString("family", answer.Task.Family);
        json.WriteString("prompt", answer.Task.Prompt);
        json.WriteString("right", answer.Task.Answer);
        json.WriteString("answered", answer.Text);
        if (answer.Error is { } error) json.WriteString("error", error.Message);
        json.WriteEndObject();
    }
}
