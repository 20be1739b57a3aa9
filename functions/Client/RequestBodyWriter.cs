using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using R1Serverless.Abstractions;
using R1Serverless.Api.OpenAI;

namespace R1Serverless.Client;

/// <summary>A request as the body of a streamed call: what <see cref="CompletionCall"/> is read from, the other way round.</summary>
internal static class RequestBodyWriter
{
    public static ReadOnlyMemory<byte> Write(InferenceRequest request)
    {
        var (precision, sampling) = (request.Precision, request.Sampling);
        var (name, prompt) = PromptField(request.Prompt);
        JsonObject body = new()
        {
            ["model"] = request.Model, [name] = prompt, ["stream"] = true, ["stream_options"] = new JsonObject { ["include_usage"] = true },
        };
        Add("max_tokens", request.MaxTokens);
        if (request.Choices != 1) Add("n", request.Choices);
        if (!precision.IsServerDefault) Add("precision", precision.Named is { } named ? PrecisionName.Of(named) : PrecisionName.Auto);
        if (precision.MaxAccuracyDrop != PrecisionPreference.DefaultAccuracyDrop) Add("max_accuracy_drop", precision.MaxAccuracyDrop);
        if (request.IgnoreEndOfSequence) Add("ignore_eos", true);
        if (request.Stop.Count > 0) Add("stop", new JsonArray([.. request.Stop.Select(text => (JsonNode?)text)]));
        Add("temperature", sampling.Temperature);
        Add("top_p", sampling.TopP);
        Add("top_k", sampling.TopK);
        Add("min_p", sampling.MinP);
        Add("repetition_penalty", sampling.RepetitionPenalty);
        Add("seed", sampling.Seed);
        if (sampling.FrequencyPenalty != 0) Add("frequency_penalty", sampling.FrequencyPenalty);
        if (sampling.PresencePenalty != 0) Add("presence_penalty", sampling.PresencePenalty);
        if (sampling.LogitBias.Count > 0)
            Add("logit_bias", new JsonObject(sampling.LogitBias.Select(bias =>
                KeyValuePair.Create(bias.Key.ToString(CultureInfo.InvariantCulture), (JsonNode?)bias.Value))));

        if (request.Prompt is Prompt.Chat chat)
        {
            Add("reasoning_effort", chat.ReasoningEffort);
            if (chat.TemplateArguments is { } arguments) Add("chat_template_kwargs", JsonNode.Parse(arguments.GetRawText()));
        }

        using MemoryStream output = new();
        using (Utf8JsonWriter json = new(output, new JsonWriterOptions { Encoder = WireJson.Encoder })) body.WriteTo(json);
        return output.ToArray();

        void Add(string field, JsonNode? value)
        {
            if (value is not null) body[field] = value;
        }
    }

    private static (string Name, JsonNode Value) PromptField(Prompt prompt) => prompt switch
    {
        Prompt.Chat chat => ("messages", new JsonArray([.. chat.Messages.Select(Message)])),
        Prompt.Tokens tokens => ("prompt", new JsonArray([.. tokens.Ids.Select(id => (JsonNode?)id)])),
        _ => ("prompt", ((Prompt.Text)prompt).Value),
    };

    private static JsonObject Message(ChatMessage message) => new()
    {
        ["role"] = message.Role switch { ChatRole.System => "system", ChatRole.User => "user", _ => "assistant" },
        ["content"] = message.Content,
    };
}
