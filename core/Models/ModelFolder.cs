using R1Serverless.Models.Layouts;

namespace R1Serverless.Models;

/// <summary>A model on the disk: graph files, tokenizer and configuration. The output of `r1 model build`, or a download that holds such graphs.</summary>
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

    /// <summary>Of a model that came from a repository which has several; else null.</summary>
    public string? Version { get; init; }

    public string TokenizerPath => System.IO.Path.Combine(Path, TokenizerFile);

    /// <summary>Holds the chat template; may be absent.</summary>
    public string TokenizerConfigPath => System.IO.Path.Combine(Path, TokenizerConfigFile);

    /// <summary>The absolute path of a variant's ONNX graph.</summary>
    public string GraphPath(ModelVariant variant) => System.IO.Path.Combine(Path, variant.File);

    /// <summary>Whether there is a model: one built by `r1 model build`, or one as another program lays it out.</summary>
    public static bool IsAt(string path) =>
        File.Exists(System.IO.Path.Combine(path, ModelManifest.FileName)) || GenaiLayout.IsAt(path) || CommunityLayout.IsAt(path);

    /// <summary>Opens a built model, or one as it was downloaded, whose manifest is then made in memory.</summary>
    /// <exception cref="InvalidModelException">No model, one that can't be served, or a file of it is missing or damaged; the message says which and why.</exception>
    public static ModelFolder Open(string path)
    {
        path = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path));
        var manifest = Describe(path);
        var files = manifest.Variants.SelectMany(v => v.DataFiles.Prepend(v.File)).Append(TokenizerFile);
        if (files.FirstOrDefault(file => !File.Exists(System.IO.Path.Combine(path, file))) is { } absent)
        {
            throw new InvalidModelException($"{path} lacks the file {absent}: {(manifest.Layout == FolderLayout.Built ? "build the model again" : "download it as well")}.");
        }

        var isGenai = manifest.Layout == FolderLayout.Genai;
        var config = manifest.Layout == FolderLayout.Built ? ModelConfig.Load(System.IO.Path.Combine(path, ConfigFile))
            : isGenai ? GenaiLayout.Config(path)
            : FoundConfig.Load(System.IO.Path.Combine(path, ConfigFile));
        var generation = isGenai && !File.Exists(System.IO.Path.Combine(path, GenerationFile)) ? GenaiLayout.Generation(path) : GenerationDefaults.Load(path);
        return new ModelFolder(path, manifest, config, generation) { Names = isGenai ? GenaiLayout.Names(path) : GraphNames.Default };
    }

    /// <summary>The manifest of the folder at an absolute path, with what was measured of it.</summary>
    /// <exception cref="InvalidModelException">As <see cref="Open"/>.</exception>
    internal static ModelManifest Describe(string path)
    {
        var manifest = System.IO.Path.Combine(path, ModelManifest.FileName);
        if (File.Exists(manifest)) return ModelManifest.Load(manifest);
        if (GenaiLayout.IsAt(path)) return FoundEvaluations.AddTo(GenaiLayout.Describe(path), path);
        if (CommunityLayout.IsAt(path)) return FoundEvaluations.AddTo(CommunityLayout.Describe(path), path);
        throw new InvalidModelException(
            $"{path} is no model folder: it has neither {ModelManifest.FileName} (the output of `r1 model build`) nor {GenaiLayout.ConfigFile} nor onnx/model.onnx.");
    }
}
