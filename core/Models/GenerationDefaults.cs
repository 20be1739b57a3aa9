namespace R1Serverless.Models;

/// <summary>What a request that leaves it open gets, read from the model folder's generation_config.json.</summary>
public sealed record GenerationDefaults
{
    /// <summary>The tokens that end an answer; possibly none.</summary>
    public IReadOnlyList<int> EndTokens { get; init; } = [];

    /// <summary>0 is greedy (also where <c>do_sample</c> is false); at most 2.</summary>
    public float Temperature { get; init; } = 1;

    /// <summary>In (0, 1].</summary>
    public float TopP { get; init; } = 1;

    /// <summary>0 means all.</summary>
    public int TopK { get; init; }

    /// <summary>Reads generation_config.json, and the end tokens from config.json where the former names none. Neither file needs to exist.</summary>
    /// <exception cref="InvalidModelException">A file is no JSON, or a field is out of range.</exception>
    public static GenerationDefaults Load(string folder)
    {
        var endTokens = FindFile(folder, ModelFolder.ConfigFile)?.Integers("eos_token_id") ?? [];
        if (FindFile(folder, ModelFolder.GenerationFile) is not { } json)
        {
            return new GenerationDefaults { EndTokens = endTokens };
        }

        var named = json.Integers("eos_token_id");
        return new GenerationDefaults
        {
            EndTokens = named.Count > 0 ? named : endTokens,
            Temperature = json.FindBoolean("do_sample") == false ? 0 : (float)(json.FindNumber("temperature", 0, 2) ?? 1),
            TopP = (float)(json.FindNumber("top_p", 1e-6, 1) ?? 1),
            TopK = json.FindInteger("top_k", 0) ?? 0,
        };
    }

    private static JsonFields? FindFile(string folder, string name) =>
        File.Exists(Path.Combine(folder, name)) ? JsonFields.Load(Path.Combine(folder, name)) : null;
}
