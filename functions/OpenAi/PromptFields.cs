using System.Text.Json;
using R1Serverless.Requests;

namespace R1Serverless.OpenAi;

/// <summary>The <c>prompt</c> of a text completion: a string, token ids, or an array with just one of these.</summary>
internal static class PromptFields
{
    public static Prompt? Read(RequestReader reader) => reader.Required("prompt") is { } value ? ReadOne(reader, value, "prompt") : null;

    private static Prompt? ReadOne(RequestReader reader, JsonElement value, string at)
    {
        if (value.ValueKind == JsonValueKind.String)
        {
            string text = value.GetString()!;
            if (text.Length > 0) return new Prompt.Text(text);
            reader.Faults.Add(at, $"'{at}' must not be empty.");
            return null;
        }

        if (value.ValueKind != JsonValueKind.Array)
        {
            reader.WrongType(at, "a string or an array of token ids", value);
            return null;
        }

        int length = value.GetArrayLength();
        if (length == 0)
        {
            reader.Faults.Add(at, $"'{at}' must not be empty.");
            return null;
        }

        if (value[0].ValueKind == JsonValueKind.Number) return ReadTokens(reader, value, at);
        if (at != "prompt")
        {
            reader.WrongType(at, "an array of token ids", value);
            return null;
        }

        if (length == 1) return ReadOne(reader, value[0], "prompt[0]");
        reader.Faults.Add(at, $"'{at}' holds {length} prompts; send one request for each.", "unsupported_parameter");
        return null;
    }

    private static Prompt.Tokens? ReadTokens(RequestReader reader, JsonElement value, string at)
    {
        int[] ids = new int[value.GetArrayLength()];
        int index = 0;
        foreach (JsonElement one in value.EnumerateArray())
        {
            if (reader.IntegerOf(one, $"{at}[{index}]", 0, int.MaxValue) is not { } id) return null;
            ids[index++] = (int)id;
        }

        return new Prompt.Tokens(ids);
    }
}
