using System.Text.Json;
using R1Serverless.Abstractions;

namespace R1Serverless.Api.OpenAI;

/// <summary>The <c>prompt</c> of a text completion: a string, token ids, or an array of these.</summary>
internal static class PromptFields
{
    /// <summary>Of one call. More would wait in each other's way.</summary>
    public const int MaxPrompts = 256;

    public static Prompt? Read(RequestReader reader)
    {
        if (reader.Required("prompt") is not { } value) return null;
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() == 0 || value[0].ValueKind == JsonValueKind.Number)
            return ReadOne(reader, value, "prompt");
        var length = value.GetArrayLength();
        if (length > MaxPrompts)
        {
            reader.Faults.Add("prompt", $"'prompt' holds {length} prompts; send at most {MaxPrompts} in one request.");
            return null;
        }

        List<Prompt> prompts = new(length);
        foreach (var one in value.EnumerateArray())
        {
            if (ReadOne(reader, one, $"prompt[{prompts.Count}]") is not { } prompt) return null;
            prompts.Add(prompt);
        }

        return prompts is [var only] ? only : new Prompt.List(prompts);
    }

    /// <summary>A text, or token ids.</summary>
    public static Prompt? ReadOne(RequestReader reader, JsonElement value, string at)
    {
        if (value.ValueKind == JsonValueKind.String)
        {
            var text = value.GetString()!;
            if (text.Length > 0) return new Prompt.Text(text);
            reader.Faults.Add(at, $"'{at}' must not be empty.");
            return null;
        }

        if (value.ValueKind != JsonValueKind.Array)
        {
            reader.WrongType(at, "a string or an array of token ids", value);
            return null;
        }

        if (value.GetArrayLength() > 0) return ReadTokens(reader, value, at);
        reader.Faults.Add(at, $"'{at}' must not be empty.");
        return null;
    }

    private static Prompt.Tokens? ReadTokens(RequestReader reader, JsonElement value, string at)
    {
        var ids = new int[value.GetArrayLength()];
        var index = 0;
        foreach (var one in value.EnumerateArray())
        {
            if (reader.IntegerOf(one, $"{at}[{index}]", 0, int.MaxValue) is not { } id) return null;
            ids[index++] = (int)id;
        }

        return new Prompt.Tokens(ids);
    }
}
