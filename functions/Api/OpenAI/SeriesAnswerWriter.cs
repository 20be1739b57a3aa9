using System.Buffers;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Series;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Api.OpenInference;

namespace R1Serverless.Api.OpenAI;

/// <summary>Writes what became of the events of a series.</summary>
internal static class SeriesAnswerWriter
{
    private static readonly JsonWriterOptions Options = new() { Encoder = WireJson.Encoder };

    /// <param name="variant">Which answered; null where none was asked.</param>
    public static ArrayBufferWriter<byte> Write(SeriesAnswer answer, string model, VariantChoice? variant)
    {
        ArrayBufferWriter<byte> body = new(512);
        using Utf8JsonWriter json = new(body, Options);
        json.WriteStartObject();
        json.WriteString("model", model);
        json.WriteString("key", answer.Key);
        if (answer.IsRemoved is { } isRemoved) json.WriteBoolean("deleted", isRemoved);
        else Write(json, answer, variant);
        json.WriteEndObject();
        json.Flush();
        return body;
    }

    private static void Write(Utf8JsonWriter json, SeriesAnswer answer, VariantChoice? variant)
    {
        json.WriteNumber("sequence", answer.First);
        json.WriteNumber("next_sequence", answer.Next);
        json.WriteBoolean("ready", answer.Decisions.Count > 0);
        json.WriteNumber("missing", answer.Missing);
        var last = answer.Decisions.Count > 0 ? answer.Decisions[^1] : null;
        WriteScore(json, last, answer.Threshold);
        if (answer.Decisions.Count > 1)
        {
            json.WriteStartArray("decisions");
            foreach (var decision in answer.Decisions)
            {
                json.WriteStartObject();
                json.WriteNumber("sequence", decision.Event);
                WriteScore(json, decision, answer.Threshold);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        if (answer.Outputs.Count > 0)
        {
            json.WriteStartArray("outputs");
            foreach (var output in answer.Outputs) WriteOutput(json, output);
            json.WriteEndArray();
        }

        json.WriteStartObject("window");
        json.WriteNumber("steps", answer.Steps);
        json.WriteBoolean("rebuilt", answer.IsRebuilt);
        json.WriteBoolean("repeated", answer.IsRepeated);
        json.WriteEndObject();
        json.WriteStartObject("timings");
        json.WriteNumber("queue_ms", Milliseconds(answer.Queued));
        json.WriteNumber("run_ms", Milliseconds(answer.Ran));
        json.WriteNumber("total_ms", Milliseconds(answer.Total));
        json.WriteEndObject();
        if (variant is null) return;
        json.WriteStartObject("variant");
        json.WriteString("precision", PrecisionName.Of(variant.Precision));
        json.WriteString("reason", variant.Reason);
        if (variant.Version is { } version) json.WriteString("version", version);
        json.WriteEndObject();
    }

    /// <summary>JSON has no word for what is no number: such a score is null, and so is what would be decided by it.</summary>
    private static void WriteScore(Utf8JsonWriter json, SeriesDecision? decision, double? threshold)
    {
        var score = decision?.Score is { } number && double.IsFinite(number) ? decision.Score : null;
        if (score is { } known) json.WriteNumber("score", known);
        else json.WriteNull("score");
        if (threshold is { } least) json.WriteNumber("threshold", least);
        else json.WriteNull("threshold");
        if (score >= threshold is var isAbove && score is not null && threshold is not null) json.WriteBoolean("decision", isAbove);
        else json.WriteNull("decision");
        if (decision?.Label is { } label) json.WriteString("label", label);
    }

    private static void WriteOutput(Utf8JsonWriter json, Tensor output)
    {
        json.WriteStartObject();
        json.WriteString("name", output.Name);
        json.WriteString("datatype", TensorTypes.Name(output.Type));
        json.WriteStartArray("shape");
        foreach (var dimension in output.Shape) json.WriteNumberValue(dimension);
        json.WriteEndArray();
        json.WriteStartArray("data");
        TensorDataWriter.Write(json, output, isBase64: output.Type == TensorType.Bytes && !TensorDataWriter.IsText(output.Data.Span), isStrict: true);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static double Milliseconds(TimeSpan time) => Math.Round(time.TotalMilliseconds, 3);
}
