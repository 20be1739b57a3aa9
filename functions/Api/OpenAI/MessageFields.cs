using System.Text;
using System.Text.Json;
using R1Serverless.Abstractions;

namespace R1Serverless.Api.OpenAI;

/// <summary>The <c>messages</c> of a chat call.</summary>
internal static class MessageFields
{
    private static readonly string[] TextParts = ["text"];

    public static Prompt? Read(RequestReader reader)
    {
        if (reader.Required("messages") is not { } value) return null;
        if (value.ValueKind != JsonValueKind.Array)
        {
            reader.WrongType("messages", "an array of messages", value);
            return null;
        }

        if (value.GetArrayLength() == 0)
        {
            reader.Faults.Add("messages", "'messages' must have at least one message.");
            return null;
        }

        List<ChatMessage> messages = new(value.GetArrayLength());
        foreach (var one in value.EnumerateArray())
        {
            if (reader.ObjectOf(one, $"messages[{messages.Count}]") is not { } message) return null;
            if (ReadMessage(message, FieldLists.Message, TextParts) is not { } read) return null;
            messages.Add(read);
        }

        return new Prompt.Chat(messages)
        {
            ReasoningEffort = TemplateFields.ReadEffort(reader), TemplateArguments = TemplateFields.ReadArguments(reader),
        };
    }

    /// <param name="fields">That a message may have.</param>
    /// <param name="textParts">What the parts of a content that are text are called.</param>
    public static ChatMessage? ReadMessage(RequestReader reader, KnownFields fields, string[] textParts)
    {
        fields.Check(reader);
        var role = ReadRole(reader);
        var content = reader.Required("content") is { } value ? ReadContent(reader, value, textParts) : null;
        return role is null || content is null ? null : new ChatMessage(role.Value, content);
    }

    private static ChatRole? ReadRole(RequestReader reader)
    {
        if (reader.Required("role") is not { } value || reader.TextOf(value, reader.Path("role")) is not { } name) return null;
        switch (name)
        {
            // OpenAI's newer name for the same thing.
            case "system" or "developer":
                return ChatRole.System;
            case "user":
                return ChatRole.User;
            case "assistant":
                return ChatRole.Assistant;
            default:
                var at = reader.Path("role");
                reader.Faults.Add(at, $"'{at}' must be system, developer, user or assistant; tools are not supported.");
                return null;
        }
    }

    private static string? ReadContent(RequestReader reader, JsonElement value, string[] textParts)
    {
        var at = reader.Path("content");
        if (value.ValueKind == JsonValueKind.String) return value.GetString();
        if (value.ValueKind != JsonValueKind.Array)
        {
            reader.WrongType(at, "a string or an array of text parts", value);
            return null;
        }

        StringBuilder text = new();
        var index = 0;
        foreach (var one in value.EnumerateArray())
        {
            var partAt = $"{at}[{index++}]";
            if (reader.ObjectOf(one, partAt) is not { } part) return null;
            if (part.Required("type") is not { } type) return null;
            if (type.ValueKind != JsonValueKind.String || !textParts.Contains(type.GetString()))
            {
                reader.Faults.Add(part.Path("type"),
                    $"'{part.Path("type")}' must be {string.Join(" or ", textParts)}: the models here read text only.", "unsupported_parameter");
                return null;
            }

            FieldLists.ContentPart.Check(part);
            if (part.Required("text") is not { } words || part.TextOf(words, part.Path("text")) is not { } more) return null;
            text.Append(more);
        }

        return text.ToString();
    }
}
