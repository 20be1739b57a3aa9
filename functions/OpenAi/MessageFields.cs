using System.Text;
using System.Text.Json;
using R1Serverless.Requests;

namespace R1Serverless.OpenAi;

/// <summary>The <c>messages</c> of a chat call.</summary>
internal static class MessageFields
{
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
        foreach (JsonElement one in value.EnumerateArray())
        {
            if (reader.ObjectOf(one, $"messages[{messages.Count}]") is not { } message) return null;
            if (ReadMessage(message) is not { } read) return null;
            messages.Add(read);
        }

        return new Prompt.Chat(messages);
    }

    private static ChatMessage? ReadMessage(RequestReader reader)
    {
        FieldLists.Message.Check(reader);
        ChatRole? role = ReadRole(reader);
        string? content = reader.Required("content") is { } value ? ReadContent(reader, value) : null;
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
                string at = reader.Path("role");
                reader.Faults.Add(at, $"'{at}' must be system, developer, user or assistant; tools are not supported.");
                return null;
        }
    }

    private static string? ReadContent(RequestReader reader, JsonElement value)
    {
        string at = reader.Path("content");
        if (value.ValueKind == JsonValueKind.String) return value.GetString();
        if (value.ValueKind != JsonValueKind.Array)
        {
            reader.WrongType(at, "a string or an array of text parts", value);
            return null;
        }

        StringBuilder text = new();
        int index = 0;
        foreach (JsonElement one in value.EnumerateArray())
        {
            string partAt = $"{at}[{index++}]";
            if (reader.ObjectOf(one, partAt) is not { } part) return null;
            if (part.Required("type") is not { } type) return null;
            if (type.ValueKind != JsonValueKind.String || !type.ValueEquals("text"))
            {
                reader.Faults.Add(part.Path("type"), $"'{part.Path("type")}' must be \"text\": the models here read text only.", "unsupported_parameter");
                return null;
            }

            FieldLists.ContentPart.Check(part);
            if (part.Required("text") is not { } words || part.TextOf(words, part.Path("text")) is not { } more) return null;
            text.Append(more);
        }

        return text.ToString();
    }
}
