using System.Text.Json;

namespace R1Serverless.Models.Encoders;

/// <summary>What sentence-transformers' files say is done with an encoder's outputs: modules.json and the files that it names.</summary>
/// <param name="Poolings">In the order in which their vectors stand behind each other.</param>
/// <param name="Width">Numbers of a token's vector; null where no file says.</param>
/// <param name="Refusal">Why that can't be done here, in words; null where it can.</param>
internal sealed record SentenceModules(IReadOnlyList<Pooling> Poolings, bool Normalizes, string Prompt, int? Width, string? Refusal)
{

    private static readonly (string Field, Pooling Pooling)[] Modes =
    [
        ("pooling_mode_cls_token", Pooling.Cls), ("pooling_mode_max_tokens", Pooling.Max), ("pooling_mode_mean_tokens", Pooling.Mean),
        ("pooling_mode_mean_sqrt_len_tokens", Pooling.MeanSqrtLen), ("pooling_mode_weightedmean_tokens", Pooling.WeightedMean),
        ("pooling_mode_lasttoken", Pooling.LastToken),
    ];

    /// <summary>Null where the folder has no modules.json.</summary>
    /// <exception cref="InvalidModelException">A file is damaged.</exception>
    public static SentenceModules? Read(string folder)
    {
        var path = Path.Combine(folder, ModelFiles.ModulesFile);
        if (!File.Exists(path)) return null;
        var prompt = ReadPrompt(folder);
        var (poolings, normalizes, includesPrompt, width) = ((IReadOnlyList<Pooling>?)null, false, true, (int?)null);
        foreach (var (type, place) in List(path))
        {
            switch (type)
            {
                case "Transformer":
                    break;
                case "Pooling" when poolings is null && !normalizes:
                    var config = JsonFields.Load(Path.Combine(folder, place, ModelFiles.ConfigFile));
                    if (ReadPoolings(config) is not { Count: > 0 } found)
                        return Refused($"{place}/{ModelFiles.ConfigFile} has a pooling that is not known");
                    poolings = found;
                    includesPrompt = config.FindBoolean("include_prompt") ?? true;
                    width = config.FindInteger("word_embedding_dimension", 1);
                    break;
                case "Normalize":
                    normalizes = true;
                    break;
                default:
                    return Refused($"{ModelFiles.ModulesFile} has a module '{type}', which is not in its graph");
            }
        }

        if (poolings is null) return Refused($"{ModelFiles.ModulesFile} has no pooling");
        return prompt.Length > 0 && !includesPrompt ? Refused($"its prompt '{prompt}' would have to be left out of the pooling")
            : new SentenceModules(poolings, normalizes, prompt, width, null);

        SentenceModules Refused(string why) => new([], normalizes, prompt, width, why);
    }

    private static List<(string Type, string Path)> List(string path)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            return [.. document.RootElement.EnumerateArray().Select(module =>
                (module.GetProperty("type").GetString()!.Split('.')[^1], module.GetProperty("path").GetString()!))];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new InvalidModelException($"{path} is not as sentence-transformers writes it: {e.Message}", e);
        }
    }

    /// <summary>Newer files name the mode, older ones have a switch for each.</summary>
    private static List<Pooling>? ReadPoolings(JsonFields config)
    {
        if (config.Find("pooling_mode") is not { } named)
            return [.. Modes.Where(mode => config.FindBoolean(mode.Field) == true).Select(mode => mode.Pooling)];
        List<Pooling> poolings = [];
        foreach (var one in named.ValueKind == JsonValueKind.Array ? named.EnumerateArray().ToArray() : [named])
        {
            if (!Enum.TryParse<Pooling>(one.ToString().Replace("_", "", StringComparison.Ordinal), ignoreCase: true, out var pooling)) return null;
            poolings.Add(pooling);
        }

        return poolings;
    }

    /// <summary>The prompt that every text gets which asks for no other.</summary>
    private static string ReadPrompt(string folder)
    {
        var path = Path.Combine(folder, ModelFiles.PromptsFile);
        if (!File.Exists(path)) return "";
        var config = JsonFields.Load(path);
        return config.FindString("default_prompt_name") is { } name
            ? config.FindObject("prompts")?.FindString(name) ?? throw config.Invalid("default_prompt_name", "names no prompt that is there") : "";
    }
}
