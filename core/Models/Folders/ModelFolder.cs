using R1Serverless.Abstractions.Tensors;
using R1Serverless.Models.Encoders;
using R1Serverless.Models.Images;
using R1Serverless.Models.Layouts;
using R1Serverless.Models.Series;

namespace R1Serverless.Models.Folders;

/// <summary>A model on the disk: graph files, tokenizer and configuration. The output of `r1 model build`, or a download that holds such
/// graphs.</summary>
public sealed record ModelFolder
{
    private readonly ModelConfig? _config;
    private readonly GenerationDefaults? _generation;

    private ModelFolder(string path, ModelManifest manifest, ModelConfig? config = null, GenerationDefaults? generation = null) =>
        (Path, Manifest, _config, _generation) = (path, manifest, config, generation);

    /// <summary>Absolute.</summary>
    public string Path { get; }

    public ModelManifest Manifest { get; }

    /// <summary>Of a decoder; <see cref="InvalidModelException"/> for any other model.</summary>
    public ModelConfig Config => _config ?? throw NoDecoder();

    /// <inheritdoc cref="Config"/>
    public GenerationDefaults Generation => _generation ?? throw NoDecoder();

    /// <summary>What the first variant's graph takes and gives, where it is no decoder; null for a decoder.</summary>
    public TensorSignature? Signature { get; private init; }

    /// <summary>How it reads texts, where it is an encoder; else null.</summary>
    public EncoderSettings? Encoder { get; private init; }

    /// <summary>Why texts are not taken, where it looks like an encoder and is none that can be served exactly; else null.</summary>
    public string? EncoderRefusal { get; private init; }

    /// <summary>How it reads images, where its folder says so; else null.</summary>
    public ImageSettings? Images { get; private init; }

    /// <summary>Why images are not taken, where the folder says how they are read and that can't be done exactly; else null.</summary>
    public string? ImageRefusal { get; private init; }

    /// <summary>How it takes the events of series, where it does; else null.</summary>
    public SeriesSettings? Series { get; private init; }

    /// <summary>What the graphs call their inputs and outputs.</summary>
    public GraphNames Names { get; private init; } = GraphNames.Default;

    public string Name => Manifest.Name;

    /// <summary>Of a model that came from a repository which has several; else null.</summary>
    public string? Version { get; init; }

    public string TokenizerPath => System.IO.Path.Combine(Path, ModelFiles.Tokenizer(Path));

    /// <summary>The absolute path of a variant's ONNX graph.</summary>
    public string GraphPath(ModelVariant variant) => System.IO.Path.Combine(Path, variant.File);

    /// <summary>Whether there is a model: one built by `r1 model build`, or one as another program lays it out.</summary>
    public static bool IsAt(string path) =>
        File.Exists(System.IO.Path.Combine(path, ModelManifest.FileName)) || GenaiLayout.IsAt(path) || CommunityLayout.IsAt(path)
        || TensorLayout.IsAt(path);

    /// <summary>Opens a built model, or one as it was downloaded, whose manifest is then made in memory.</summary>
    /// <exception cref="InvalidModelException">No model, one that can't be served, or a file of it is missing or damaged; the message says which and
    /// why.</exception>
    public static ModelFolder Open(string path)
    {
        path = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(path));
        var manifest = Describe(path);
        var files = manifest.Variants.SelectMany(v => v.DataFiles.Prepend(v.File));
        if (manifest.Kind == ModelKind.Decoder) files = files.Append(ModelFiles.Tokenizer(path));
        if (files.FirstOrDefault(file => !File.Exists(System.IO.Path.Combine(path, file))) is { } absent)
            throw new InvalidModelException(
                $"{path} lacks the file {absent}: {(manifest.Layout == FolderLayout.Built ? "build the model again" : "download it as well")}.");
        if (manifest.Kind == ModelKind.Tensors)
        {
            var file = System.IO.Path.Combine(path, manifest.Variants[0].File);
            var graph = TensorGraph.Read(file);
            var encoder = EncoderFolder.Read(path, graph, out var refusal);
            var images = ImageFolder.Read(path, file, graph, out var imageRefusal);
            return new ModelFolder(path, manifest)
            {
                Signature = ImageSettings.Mark(graph.Signature, images), Encoder = encoder, EncoderRefusal = refusal, Images = images,
                ImageRefusal = imageRefusal, Series = SeriesFolder.Read(path, graph),
            };
        }

        var isGenai = manifest.Layout == FolderLayout.Genai;
        var config = manifest.Layout == FolderLayout.Built ? ModelConfig.Load(System.IO.Path.Combine(path, ModelFiles.ConfigFile))
            : isGenai ? GenaiLayout.Config(path)
            : ExternalConfig.Load(System.IO.Path.Combine(path, ModelFiles.ConfigFile));
        var generation = isGenai && !File.Exists(System.IO.Path.Combine(path, ModelFiles.GenerationFile)) ? GenaiLayout.Generation(path)
            : GenerationDefaults.Load(path);
        return new ModelFolder(path, manifest, config, generation) { Names = isGenai ? GenaiLayout.Names(path) : GraphNames.Default };
    }

    /// <summary>The manifest of the folder at an absolute path, with what was measured of it.</summary>
    /// <exception cref="InvalidModelException">As <see cref="Open"/>.</exception>
    internal static ModelManifest Describe(string path)
    {
        var manifest = System.IO.Path.Combine(path, ModelManifest.FileName);
        if (File.Exists(manifest)) return ModelManifest.Load(manifest);
        if (GenaiLayout.IsAt(path)) return ExternalEvaluations.AddTo(GenaiLayout.Describe(path), path);
        if (TensorLayout.IsAt(path)) return ExternalEvaluations.AddTo(TensorLayout.Describe(path), path);
        if (CommunityLayout.IsAt(path)) return ExternalEvaluations.AddTo(CommunityLayout.Describe(path), path);
        throw new InvalidModelException(
            $"{path} is no model folder: it has neither {ModelManifest.FileName} (the output of `r1 model build`) nor {GenaiLayout.ConfigFile} nor "
            + "model.onnx, by itself or in onnx/.");
    }

    private InvalidModelException NoDecoder() => new($"{Name} takes tensors and is no decoder of text, which this asks for.");
}
