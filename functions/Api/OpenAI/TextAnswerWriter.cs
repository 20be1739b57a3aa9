using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Api.OpenAI;

/// <summary>Writes what an encoder answered: vectors in OpenAI's form, ranks and labels in text-embeddings-inference's, or ranks in Jina's.</summary>
internal static class TextAnswerWriter
{
    private static readonly JsonWriterOptions Options = new() { Encoder = WireJson.Encoder };

    /// <param name="result">Finished.</param>
    public static ArrayBufferWriter<byte> Write(CompletionApi api, InferenceResult result, AnswerHead head)
    {
        var form = head.Texts ?? TextForm.Of(api);
        ArrayBufferWriter<byte> body = new();
        using Utf8JsonWriter json = new(body, Options);
        switch (api)
        {
            case CompletionApi.Embeddings:
                WriteVectors(json, result, head, form);
                break;
            case CompletionApi.Rank when form.Field == TextForm.Documents:
                WriteResults(json, result, head, form);
                break;
            case CompletionApi.Rank:
                WriteRanks(json, result, form);
                break;
            default:
                WriteLabels(json, result, form);
                break;
        }

        json.Flush();
        return body;
    }

    private static ReadOnlySpan<float> Numbers(InferenceResult result) => MemoryMarshal.Cast<byte, float>(result.Outputs![0].Data.Span);

    private static void WriteVectors(Utf8JsonWriter json, InferenceResult result, AnswerHead head, TextForm form)
    {
        var (count, width) = ((int)result.Outputs![0].Shape[0], (int)result.Outputs[0].Shape[1]);
        var numbers = Numbers(result);
        json.WriteStartObject();
        json.WriteString("object", "list");
        json.WriteStartArray("data");
        for (var i = 0; i < count; i++)
        {
            var vector = numbers.Slice(i * width, width);
            json.WriteStartObject();
            json.WriteString("object", "embedding");
            json.WriteNumber("index", i);
            if (form.IsBase64) json.WriteBase64String("embedding", MemoryMarshal.AsBytes(vector));
            else WriteNumbers(json, vector);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteString("model", head.Model);
        WriteUsage(json, result);
        json.WriteEndObject();
    }

    private static void WriteNumbers(Utf8JsonWriter json, ReadOnlySpan<float> vector)
    {
        json.WriteStartArray("embedding");
        foreach (var number in vector) WriteNumber(json, number);
        json.WriteEndArray();
    }

    /// <summary>JSON has no word for what is no number: such a graph's is null, as Python's writers refuse it.</summary>
    private static void WriteNumber(Utf8JsonWriter json, float number)
    {
        if (float.IsFinite(number)) json.WriteNumberValue(number);
        else json.WriteNullValue();
    }

    private static void WriteRanks(Utf8JsonWriter json, InferenceResult result, TextForm form)
    {
        json.WriteStartArray();
        foreach (var (index, score) in Best(Numbers(result), form.Top))
        {
            json.WriteStartObject();
            json.WriteNumber("index", index);
            if (form.Repeated is { } texts) json.WriteString("text", texts[index]);
            json.WritePropertyName("score");
            WriteNumber(json, score);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteResults(Utf8JsonWriter json, InferenceResult result, AnswerHead head, TextForm form)
    {
        json.WriteStartObject();
        json.WriteString("id", head.Id);
        json.WriteString("object", "list");
        json.WriteString("model", head.Model);
        json.WriteStartArray("results");
        foreach (var (index, score) in Best(Numbers(result), form.Top))
        {
            json.WriteStartObject();
            json.WriteNumber("index", index);
            json.WritePropertyName("relevance_score");
            WriteNumber(json, score);
            if (form.Repeated is { } texts)
            {
                json.WriteStartObject("document");
                json.WriteString("text", texts[index]);
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        WriteUsage(json, result);
        json.WriteEndObject();
    }

    private static void WriteLabels(Utf8JsonWriter json, InferenceResult result, TextForm form)
    {
        var labels = Labels(result.Outputs![1]);
        var numbers = Numbers(result);
        if (!form.IsSingle) json.WriteStartArray();
        for (var i = 0; i < numbers.Length / labels.Count; i++)
        {
            json.WriteStartArray();
            foreach (var (label, score) in Best(numbers.Slice(i * labels.Count, labels.Count), form.Top))
            {
                json.WriteStartObject();
                json.WritePropertyName("score");
                WriteNumber(json, score);
                json.WriteString("label", labels[label]);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        if (!form.IsSingle) json.WriteEndArray();
    }

    /// <summary>The greatest first; of equals, the first.</summary>
    private static IEnumerable<(int Index, float Score)> Best(ReadOnlySpan<float> scores, int? top)
    {
        var all = scores.ToArray().Select((score, index) => (index, score)).OrderByDescending(one => one.score);
        return top is { } some ? all.Take(some) : all;
    }

    private static List<string> Labels(Tensor labels)
    {
        List<string> texts = [];
        for (var rest = labels.Data.Span; rest.Length > 0;) texts.Add(Encoding.UTF8.GetString(ByteElements.Take(ref rest)));
        return texts;
    }

    private static void WriteUsage(Utf8JsonWriter json, InferenceResult result)
    {
        json.WriteStartObject("usage");
        json.WriteNumber("prompt_tokens", result.Usage!.PromptTokens);
        json.WriteNumber("total_tokens", result.Usage.PromptTokens);
        if (result.Variant is { } variant)
        {
            json.WriteStartObject("variant");
            json.WriteString("precision", PrecisionName.Of(variant.Precision));
            json.WriteString("reason", variant.Reason);
            if (variant.Version is { } version) json.WriteString("version", version);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }
}
