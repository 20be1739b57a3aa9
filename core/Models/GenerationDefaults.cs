namespace R1Serverless.Models;

/// <summary>What a request that leaves it open gets, read from the model folder's generation_config.json.</summary>
public sealed record GenerationDefaults
{
    /// <summary>What would change the answers and the engine does not do, with the value that means off.</summary>
    private static readonly (string Name, double Off)[] Unsupported =
    [
        ("num_beams", 1), ("num_beam_groups", 1), ("num_return_sequences", 1), ("diversity_penalty", 0), ("penalty_alpha", 0),
        ("guidance_scale", 1), ("typical_p", 1), ("top_h", 1), ("epsilon_cutoff", 0), ("eta_cutoff", 0), ("no_repeat_ngram_size", 0),
        ("encoder_no_repeat_ngram_size", 0), ("encoder_repetition_penalty", 1), ("min_length", 0), ("min_new_tokens", 0), ("min_tokens", 0),
        ("presence_penalty", 0), ("frequency_penalty", 0),
    ];

    /// <summary>The same, off where null or an empty list.</summary>
    private static readonly string[] UnsupportedLists =
    [
        "bad_words_ids", "force_words_ids", "constraints", "suppress_tokens", "begin_suppress_tokens", "forced_bos_token_id", "forced_eos_token_id",
        "forced_decoder_ids", "sequence_bias", "exponential_decay_length_penalty", "watermarking_config", "stop_strings", "dola_layers",
    ];

    /// <summary>The tokens that end an answer; possibly none.</summary>
    public IReadOnlyList<int> EndTokens { get; init; } = [];

    /// <summary>0 is greedy (also where <c>do_sample</c> is false); at most 2.</summary>
    public float Temperature { get; init; } = 1;

    /// <summary>In (0, 1].</summary>
    public float TopP { get; init; } = 1;

    /// <summary>0 means all.</summary>
    public int TopK { get; init; }

    /// <summary>In [0, 1]; see <see cref="Abstractions.SamplingOptions.MinP"/>.</summary>
    public float MinP { get; init; }

    /// <summary>Above 0, at most 2; 1 changes nothing. See <see cref="Abstractions.SamplingOptions.RepetitionPenalty"/>.</summary>
    public float RepetitionPenalty { get; init; } = 1;

    /// <summary>Of an answer; null for as many as there is room for.</summary>
    public int? MaxNewTokens { get; init; }

    /// <summary>Tokens of prompt and answer together; counts where <see cref="MaxNewTokens"/> is null.</summary>
    public int? MaxLength { get; init; }

    /// <summary>How long the answer to a prompt of so many tokens may get; at least 1, null for as long as there is room.</summary>
    public int? MaxTokens(int promptLength) => MaxNewTokens ?? (MaxLength is { } whole ? Math.Max(1, whole - promptLength) : null);

    /// <summary>Reads generation_config.json, and the end tokens from config.json where the former names none. Neither file needs to exist.</summary>
    /// <exception cref="InvalidModelException">A file is no JSON, or a field is out of range or asks for what the engine does not do.</exception>
    public static GenerationDefaults Load(string folder)
    {
        var endTokens = FindFile(folder, ModelFiles.ConfigFile)?.Integers("eos_token_id") ?? [];
        if (FindFile(folder, ModelFiles.GenerationFile) is not { } json)
            return new GenerationDefaults { EndTokens = endTokens };

        var named = json.Integers("eos_token_id");
        return Read(json, named.Count > 0 ? named : endTokens);
    }

    /// <summary>From an object with transformers' names, all of which may be absent.</summary>
    /// <exception cref="InvalidModelException">A field is out of range or asks for what the engine does not do.</exception>
    internal static GenerationDefaults Read(JsonFields json, IReadOnlyList<int> endTokens)
    {
        foreach (var (name, off) in Unsupported)
        {
            if (json.FindNumber(name, double.MinValue, double.MaxValue) is { } value && value != off) throw NotDone(json, name, $"{value}");
        }

        foreach (var name in UnsupportedLists)
        {
            if (json.Find(name)?.GetRawText() is { } text && text is not ("[]" or "{}")) throw NotDone(json, name, text);
        }

        return new GenerationDefaults
        {
            EndTokens = endTokens,
            Temperature = json.FindBoolean("do_sample") == false ? 0 : (float)(json.FindNumber("temperature", 0, 2) ?? 1),
            TopP = (float)(json.FindNumber("top_p", 1e-6, 1) ?? 1),
            TopK = Math.Max(0, json.FindInteger("top_k", -1) ?? 0),
            MinP = (float)(json.FindNumber("min_p", 0, 1) ?? 0),
            RepetitionPenalty = (float)(json.FindNumber("repetition_penalty", 1e-3, 2) ?? 1),
            MaxNewTokens = json.FindInteger("max_new_tokens", 1),
            MaxLength = json.FindInteger("max_length", 1),
        };
    }

    private static InvalidModelException NotDone(JsonFields json, string name, string value) =>
        json.Invalid(name, $"is {value}, which is not supported: take the field out to run the model without it");

    private static JsonFields? FindFile(string folder, string name) =>
        File.Exists(Path.Combine(folder, name)) ? JsonFields.Load(Path.Combine(folder, name)) : null;
}
