using System.Buffers;
using System.Globalization;
using System.Text.Json;
using R1Serverless.Requests;

namespace R1Serverless.OpenAi.Client;

/// <summary>A request as the body of a streamed call: what <see cref="CompletionCall"/> is read from, the other way round.</summary>
internal static class RequestWriter
{
    public static ReadOnlyMemory<byte> Write(InferenceRequest request)
    {
        ArrayBufferWriter<byte> body = new(1024);
        using (Utf8JsonWriter json = new(body, new JsonWriterOptions { Encoder = WireJson.Encoder }))
        {
            json.WriteStartObject();
            json.WriteString("model", request.Model);
            WritePrompt(json, request.Prompt);
            json.WriteBoolean("stream", true);
            json.WriteStartObject("stream_options");
            json.WriteBoolean("include_usage", true);
            json.WriteEndObject();
            if (request.MaxTokens is { } most) json.WriteNumber("max_tokens", most);
            if (request.Choices != 1) json.WriteNumber("n", request.Choices);
            if (!request.Precision.IsServerDefault) json.WriteString("precision", request.Precision.Named is { } precision ? PrecisionName.Of(precision) : PrecisionName.Auto);
            if (request.Precision.MaxAccuracyDrop != PrecisionWish.DefaultAccuracyDrop) json.WriteNumber("max_accuracy_drop", request.Precision.MaxAccuracyDrop);
            if (request.IgnoreEndOfSequence) json.WriteBoolean("ignore_eos", true);
            if (request.Stop.Count > 0)
            {
                json.WriteStartArray("stop");
                foreach (string stop in request.Stop) json.WriteStringValue(stop);
                json.WriteEndArray();
            }

            WriteSampling(json, request.Sampling);
            json.WriteEndObject();
        }

        return body.WrittenMemory;
    }

    private static void WritePrompt(Utf8JsonWriter json, Prompt prompt)
    {
        switch (prompt)
        {
            case Prompt.Chat chat:
                json.WriteStartArray("messages");
                foreach (ChatMessage message in chat.Messages)
                {
                    json.WriteStartObject();
                    json.WriteString("role", message.Role switch { ChatRole.System => "system", ChatRole.User => "user", _ => "assistant" });
                    json.WriteString("content", message.Content);
                    json.WriteEndObject();
                }

                json.WriteEndArray();
                break;
            case Prompt.Text text:
                json.WriteString("prompt", text.Value);
                break;
            case Prompt.Tokens tokens:
                json.WriteStartArray("prompt");
                foreach (int id in tokens.Ids) json.WriteNumberValue(id);
                json.WriteEndArray();
                break;
        }
    }

    private static void WriteSampling(Utf8JsonWriter json, SamplingOptions sampling)
    {
        if (sampling.Temperature is { } temperature) json.WriteNumber("temperature", temperature);
        if (sampling.TopP is { } topP) json.WriteNumber("top_p", topP);
        if (sampling.TopK is { } topK) json.WriteNumber("top_k", topK);
        if (sampling.MinP is { } minP) json.WriteNumber("min_p", minP);
        if (sampling.Seed is { } seed) json.WriteNumber("seed", seed);
        if (sampling.FrequencyPenalty != 0) json.WriteNumber("frequency_penalty", sampling.FrequencyPenalty);
        if (sampling.PresencePenalty != 0) json.WriteNumber("presence_penalty", sampling.PresencePenalty);
        if (sampling.LogitBias.Count == 0) return;
        json.WriteStartObject("logit_bias");
        foreach ((int id, float bias) in sampling.LogitBias) json.WriteNumber(id.ToString(CultureInfo.InvariantCulture), bias);
        json.WriteEndObject();
    }
}
