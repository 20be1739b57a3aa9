namespace R1Serverless.Models;

/// <summary>A built model on the disk: graph files, tokenizer and configuration. The output of `r1 model build`.</summary>
public sealed record ModelFolder
{
    public const string ConfigFile = "config.json";
    public const string GenerationFile = "generation_config.json";
    public const string TokenizerFile = "tokenizer.json";
    public const string TokenizerConfigFile = "tokenizer_config.json";

    /// <summary>Tasks with their answers, as JSON lines; see `r1 model evaluate`. May be absent.</summary>
    public const string EvaluationFile = "evaluation.jsonl";

    private ModelFolder(string path, ModelManifest manifest, ModelConfig config, GenerationDefaults generation) =>
        (Path, Manifest, Config, Generation) = (path, manifest, config, generation);

    /// <summary>Absolute.</summary>
    public string Path { get; }

    public ModelManifest Manifest { get; }

    public ModelConfig Config { get; }

    public GenerationDefaults Generation { get; }

    /// <summary>What the graphs call their inputs and outputs.</summary>
    public GraphNames Names { get; private init; } = GraphNames.Default;

    public string Name => Manifest.Name;

    public string TokenizerPath => System.IO.Path.Combine(Path, TokenizerFile);

    /// <summary>Holds the chat template; may be absent.</summary>
    public string TokenizerConfigPath => System.IO.Path.Combine(Path, TokenizerConfigFile);

    /// <summary>The absolute path of a variant's ONNX graph.</summary>
    public string GraphPath(ModelVariant variant) => System.IO.Path.Combine(Path, variant.File);

    /// <exception cref="InvalidModelException">No built model, a file of it is missing, or one is damaged.</exception>
    public static ModelFolder Open(string path)
    {
        path = System.IO.Path.GetFullPath(path);
        var manifest = ModelManifest.Load(System.IO.Path.Combine(path, ModelManifest.FileName));
        var files = manifest.Variants.SelectMany(v => v.DataFile is null ? new[] { v.File } : [v.File, v.DataFile]).Append(TokenizerFile);
        if (files.FirstOrDefault(file => !File.Exists(System.IO.Path.Combine(path, file))) is { } absent)
        {
            throw new InvalidModelException($"{path} lacks the file {absent}: build the model again.");
        }

        return new ModelFolder(path, manifest, ModelConfig.Load(System.IO.Path.Combine(path, ConfigFile)), GenerationDefaults.Load(path));
    }
}
