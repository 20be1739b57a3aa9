using System.Text.Json;
using R1Serverless.Abstractions;

namespace R1Serverless.Api.OpenAI;

/// <summary>What POST /v1/responses has of its own. Nothing is stored there: each call brings its whole conversation.</summary>
internal static class ResponseFields
{
    private const string Reasoning = "reasoning", Effort = "effort";

    private static readonly string[] TextParts = ["input_text", "output_text", "text"];

    /// <summary>The conversation in <c>input</c>, behind <c>instructions</c>; null with the fault noted.</summary>
    public static Prompt.Chat? ReadPrompt(RequestReader reader)
    {
        CheckStored(reader);
        List<ChatMessage> messages = [];
        if (reader.Text("instructions") is { Length: > 0 } instructions) messages.Add(new ChatMessage(ChatRole.System, instructions));
        if (reader.Required("input") is not { } input) return null;
        if (input.ValueKind == JsonValueKind.String) messages.Add(new ChatMessage(ChatRole.User, input.GetString()!));
        else if (!ReadItems(reader, input, messages)) return null;
        return new Prompt.Chat(messages)
        {
            ReasoningEffort = reader.Object(Reasoning) is { } reasoning ? TemplateFields.ReadEffort(reasoning, Effort) : null,
        };
    }

    /// <summary>What the answer repeats of the call.</summary>
    public static ResponseSettings ReadSettings(RequestReader reader, SamplingOptions sampling, int? maxTokens)
    {
        if (reader.Object("text") is { } text) FieldLists.ResponseText.Check(text);
        ResponseSettings settings = new(
            reader.Text("instructions"), maxTokens, sampling.Temperature, sampling.TopP, reader.Object("metadata")?.Element.Clone(), null, null);
        if (reader.Object(Reasoning) is not { } reasoning) return settings;
        FieldLists.Reasoning.Check(reasoning);
        return settings with { Effort = reasoning.Text(Effort), Summary = reasoning.Text("summary") ?? reasoning.Text("generate_summary") };
    }

    /// <summary>Whether all of a conversation could be read.</summary>
    private static bool ReadItems(RequestReader reader, JsonElement input, List<ChatMessage> messages)
    {
        if (input.ValueKind != JsonValueKind.Array)
        {
            reader.WrongType("input", "a string or an array of messages", input);
            return false;
        }

        var index = 0;
        foreach (var one in input.EnumerateArray())
        {
            if (reader.ObjectOf(one, $"input[{index++}]") is not { } item || !IsMessage(item, out var isDropped)) return false;
            if (isDropped) continue;
            if (MessageFields.ReadMessage(item, FieldLists.InputMessage, TextParts) is not { } message) return false;
            messages.Add(message);
        }

        if (messages.Count == 0) reader.Faults.Add("input", "'input' must have at least one message.");
        return messages.Count > 0;
    }

    private static void CheckStored(RequestReader reader)
    {
        foreach (var name in (string[])["previous_response_id", "conversation"])
        {
            if (reader.Optional(name) is not null)
                reader.Faults.Add(name, $"'{name}' needs answers that are stored, and none are here: send the whole conversation in 'input'.",
                    "unsupported_parameter");
        }

        if (reader.Flag("background") == true)
            reader.Faults.Add("background", "'background' is not supported here: send the header 'Prefer: respond-async' instead.",
                "unsupported_parameter");
    }

    /// <summary>Whether an item can be read; the reasoning of earlier answers is dropped, as R1's template does with it.</summary>
    private static bool IsMessage(RequestReader item, out bool isDropped)
    {
        var type = item.Text("type") ?? "message";
        isDropped = type == "reasoning";
        if (isDropped || type == "message") return item.Faults.First is null;
        var at = item.Path("type");
        item.Faults.Add(at, type == "item_reference"
            ? $"'{at}' names a stored item, and none are stored here: send its content; clients do so with 'store' set to false."
            : $"'{at}' must be message or reasoning; '{Truncated.Name(type)}' is not supported here.", "unsupported_parameter");
        return false;
    }
}
