using System.Text.Json;
using R1Serverless.Abstractions;

namespace R1Serverless.Api.OpenAI;

/// <summary>The fields that both APIs share on how tokens are chosen and where the answer ends.</summary>
internal static class SamplingFields
{
    private const int MaxBiases = 1024;
    private const int MaxStops = 4;
    private const int LongestStop = 1024;

    public static SamplingOptions Read(RequestReader reader)
    {
        var topP = reader.Number("top_p", 0, 1);
        var temperature = reader.Number("temperature", 0, 2);
        SamplingOptions options = new()
        {
            // The smallest nucleus is the likeliest token alone.
            Temperature = topP == 0 ? 0 : temperature,
            TopP = topP == 0 ? null : topP,
            // vLLM's clients write -1 for "all".
            TopK = reader.Integer("top_k", -1, int.MaxValue) is { } top ? (int)Math.Max(0, top) : null,
            MinP = reader.Number("min_p", 0, 1),
            RepetitionPenalty = reader.Number("repetition_penalty", 0, 2, aboveLeast: true),
            Seed = reader.Integer("seed", long.MinValue, long.MaxValue),
            FrequencyPenalty = reader.Number("frequency_penalty", -2, 2) ?? 0,
            PresencePenalty = reader.Number("presence_penalty", -2, 2) ?? 0,
        };
        return reader.Object("logit_bias") is { } biases ? options with { LogitBias = ReadBiases(biases) } : options;
    }

    private static Dictionary<int, float> ReadBiases(RequestReader reader)
    {
        Dictionary<int, float> biases = [];
        foreach (var field in reader.Element.EnumerateObject())
        {
            var at = reader.Path(Truncated.Name(field.Name));
            if (!int.TryParse(field.Name, System.Globalization.NumberStyles.None, null, out var token))
            {
                reader.Faults.Add(at, $"'{at}': the names in 'logit_bias' must be token ids, such as \"50256\".");
                break;
            }

            if (reader.NumberOf(field.Value, at, -100, 100) is { } bias) biases[token] = bias;
            if (biases.Count > MaxBiases)
            {
                reader.Faults.Add("logit_bias", $"'logit_bias' may have at most {MaxBiases} entries.");
                break;
            }
        }

        return biases;
    }

    /// <summary>A string, or an array of at most four.</summary>
    public static IReadOnlyList<string> ReadStop(RequestReader reader)
    {
        if (reader.Optional("stop") is not { } value) return [];
        if (value.ValueKind == JsonValueKind.String) return ReadOneStop(reader, value, "stop") is { } only ? [only] : [];
        if (value.ValueKind != JsonValueKind.Array)
        {
            reader.WrongType("stop", "a string or an array of strings", value);
            return [];
        }

        if (value.GetArrayLength() > MaxStops)
        {
            reader.Faults.Add("stop", $"'stop' may have at most {MaxStops} texts.");
            return [];
        }

        List<string> stops = [];
        foreach (var one in value.EnumerateArray())
        {
            if (ReadOneStop(reader, one, $"stop[{stops.Count}]") is not { } text) break;
            stops.Add(text);
        }

        return stops;
    }

    private static string? ReadOneStop(RequestReader reader, JsonElement value, string at)
    {
        if (reader.TextOf(value, at) is not { } text) return null;
        if (text.Length is > 0 and <= LongestStop) return text;
        reader.Faults.Add(at, $"'{at}' must have 1 to {LongestStop} characters.");
        return null;
    }
}
