using System.Text.Json;
using System.Text.Json.Serialization;
using R1Serverless.Abstractions;
using R1Serverless.Storage.Files;

namespace R1Serverless.Models;

/// <summary>What a built model folder holds: the file <c>r1-model.json</c>.</summary>
public sealed record ModelManifest
{
    public const string FileName = "r1-model.json";

    /// <summary>The form of this file; another form is refused.</summary>
    public const int CurrentFormat = 2;

    public required int Format { get; init; }

    public required string Name { get; init; }

    public required DateTimeOffset Created { get; init; }

    /// <summary>SHA-256 over the checkpoint's files and the builder's version, in hexadecimal: the same fingerprint, the same build.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>Weights, biases and norms; a tied embedding counts once. 0 where another program made the graphs and it isn't known.</summary>
    public required long Parameters { get; init; }

    /// <summary>What its graphs are.</summary>
    public ModelKind Kind { get; init; }

    /// <summary>Who made the folder's graphs, and how the rest of it is found.</summary>
    public FolderLayout Layout { get; init; }

    public required IReadOnlyList<ModelVariant> Variants { get; init; }

    /// <exception cref="InvalidModelException">The file is missing, damaged or of another form.</exception>
    public static ModelManifest Load(string path)
    {
        try
        {
            using var stream = File.OpenRead(path);
            var manifest = JsonSerializer.Deserialize(stream, ManifestJson.Default.ModelManifest);
            return manifest switch
            {
                null => throw new InvalidModelException($"{path} is empty."),
                { Format: not CurrentFormat } => throw new InvalidModelException(
                    $"{path} has format {manifest.Format}, but this version reads format {CurrentFormat}: build the model again."),
                { Variants.Count: 0 } => throw new InvalidModelException($"{path} lists no variants."),
                _ when manifest.Variants.Any(v => v is null || !IsInFolder(v.File) || (v.DataFile is { } data && !IsInFolder(data))) =>
                    throw new InvalidModelException($"{path} is damaged: each variant must name files that lie beside it."),
                _ when manifest.Variants.Any(v => v.Evaluations.Any(one => one is null)) =>
                    throw new InvalidModelException($"{path} is damaged: an evaluation is null."),
                _ => manifest,
            };
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InvalidModelException($"{path} does not exist: is this folder the output of `r1 model build`?", e);
        }
        catch (JsonException e)
        {
            throw new InvalidModelException($"{path} is damaged: {e.Message}", e);
        }
    }

    /// <summary>Only what lies in the folder was fetched and held against its hash with it.</summary>
    private static bool IsInFolder(string? file) => !string.IsNullOrEmpty(file) && file == Path.GetFileName(file) && file is not (".." or ".");

    /// <summary>Readers see the old file or the whole new one.</summary>
    public void Save(string path) => AtomicFile.Replace(path, stream => JsonSerializer.Serialize(stream, this, ManifestJson.Default.ModelManifest));

    /// <summary>The manifest with a variant's evaluation in the place of its former one on that device; everything else stays.</summary>
    /// <exception cref="InvalidModelException">There is no such variant.</exception>
    public ModelManifest WithEvaluation(string file, VariantEvaluation evaluation)
    {
        var variant = Variants.FirstOrDefault(v => v.File == file) ?? throw new InvalidModelException($"{Name} has no variant {file}.");
        var measured = variant with { Evaluations = [.. variant.Evaluations.Where(e => e.Device != evaluation.Device), evaluation] };
        return this with { Variants = [.. Variants.Select(v => ReferenceEquals(v, variant) ? measured : v)] };
    }
}

/// <summary>How a model folder is laid out.</summary>
public enum FolderLayout
{
    /// <summary>By <c>r1 model build</c>.</summary>
    Built,

    /// <summary>As onnxruntime-genai has it: genai_config.json.</summary>
    Genai,

    /// <summary>As Hugging Face's onnx-community has it: onnx/model.onnx and its siblings.</summary>
    Community,

    /// <summary>Graphs that are no decoders, by whatever program: model.onnx and its siblings.</summary>
    Tensors,
}

/// <summary>What a model's graphs are, and so what requests to it are.</summary>
public enum ModelKind
{
    /// <summary>A decoder of text, which generates token by token.</summary>
    Decoder,

    /// <summary>Any other graph: a request gives the inputs, a run the outputs.</summary>
    Tensors,
}

/// <summary>One artifact of a model.</summary>
/// <param name="File">The ONNX graph, relative to the model folder.</param>
/// <param name="DataFile">The weights' file beside it where they are kept outside the graph, the first of several; else null.</param>
/// <param name="Bytes">All files together.</param>
public sealed record ModelVariant(Precision Precision, string File, string? DataFile, long Bytes)
{
    /// <summary>The other weights' files of a graph that has several, which only downloaded ones have: a manifest on the disk names none.</summary>
    [JsonIgnore]
    public IReadOnlyList<string> MoreDataFiles { get; init; } = [];

    /// <summary>All that hold weights beside the graph, relative to the model folder.</summary>
    [JsonIgnore]
    public IEnumerable<string> DataFiles => DataFile is null ? [] : MoreDataFiles.Prepend(DataFile);

    /// <summary>How its graph keeps keys and values.</summary>
    public KvFormat Kv { get; init; }

    /// <summary>Whether servers load it at their start, whatever else they load.</summary>
    public bool Preload { get; init; }

    /// <summary>What `r1 model evaluate` measured, at most one per device.</summary>
    public IReadOnlyList<VariantEvaluation> Evaluations { get; init; } = [];
}

/// <summary>A variant's accuracy and speed on one device.</summary>
public sealed record VariantEvaluation
{
    /// <summary>The execution provider: cpu or cuda.</summary>
    public required string Device { get; init; }

    public required DateTimeOffset Measured { get; init; }

    /// <summary>How many problems were asked.</summary>
    public required int Tasks { get; init; }

    /// <summary>Exact answers, 0 to 1. Of a model over tensors: the share of its answers that are the most exact variant's.</summary>
    public required double Accuracy { get; init; }

    /// <summary>Points of percent below FP32's accuracy in the same evaluation; negative where the variant is better. Of a model over tensors, as far
    /// as the most exact variant's own probabilities tell, at least 0.</summary>
    public required double AccuracyDrop { get; init; }

    /// <summary>Of a model over tensors: what inputs with noise added cost, by rising noise, the first as they came; empty where no input is an image
    /// or a series. Null for a decoder.</summary>
    public IReadOnlyList<NoisePoint>? Noise { get; init; }

    /// <summary>Greedy tokens that are FP32's, given the same tokens before them, 0 to 1; of a model over tensors, <see cref="Accuracy"/>.</summary>
    public required double TokenAgreement { get; init; }

    /// <summary>Mean divergence of the next token's distribution from FP32's, in nats; 0 of a model over tensors, which has none.</summary>
    public required double KlDivergence { get; init; }

    /// <summary>The drop that was allowed when it was measured, in points; a variant beyond it is never chosen by "auto".</summary>
    public required double Tolerance { get; init; }

    /// <summary>Decoded tokens per second, all rows together, by the number of rows; of a model over tensors, requests per second by
    /// requests at once.</summary>
    public required IReadOnlyDictionary<int, double> TokensPerSecond { get; init; }

    /// <summary>What the process grew by when the variant was loaded and ran its largest batch, in bytes; 0 where that was not measured, as of a
    /// model over tensors.</summary>
    public required long MemoryBytes { get; init; }

    [JsonIgnore]
    public bool IsWithinTolerance => AccuracyDrop <= Tolerance;

    /// <summary>The accuracy drop that is to be expected of an input with so much noise, in points: between two measured ones in proportion. Null
    /// where it has more noise than was measured.</summary>
    /// <param name="sigma">In the input's unit; null where it was not measured.</param>
    public double? DropAt(double? sigma)
    {
        if (sigma is not { } at || Noise is not [var first, _, ..] points || at <= first.Sigma) return AccuracyDrop;
        for (var i = 1; i < points.Count; i++)
        {
            var (below, above) = (points[i - 1], points[i]);
            if (at <= above.Sigma)
                return below.AccuracyDrop + ((above.AccuracyDrop - below.AccuracyDrop) * (at - below.Sigma) / (above.Sigma - below.Sigma));
        }

        return null;
    }
}

/// <summary>What a variant loses of the accuracy at one level of noise.</summary>
/// <param name="Sigma">The noise's standard deviation as it is estimated of a request, in the input's unit; rising from point to point.</param>
/// <param name="AccuracyDrop">In points of percent.</param>
/// <param name="Agreement">The share of answers that are the most exact variant's, 0 to 1; null in older manifests.</param>
public sealed record NoisePoint(double Sigma, double AccuracyDrop, double? Agreement = null);

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, RespectNullableAnnotations = true,
    UseStringEnumConverter = true)]
[JsonSerializable(typeof(ModelManifest))]
[JsonSerializable(typeof(PreparedManifest))]
internal sealed partial class ManifestJson : JsonSerializerContext;
