using System.Text.Json;
using System.Text.Json.Serialization;
using R1Serverless.Storage.Files;

namespace R1Serverless.Models.Layouts;

/// <summary>What `r1 model evaluate` measured of a folder that another program made: the file <c>r1-evaluation.json</c> in it.</summary>
public sealed record ExternalEvaluations
{
    public const string FileName = "r1-evaluation.json";

    /// <summary>The form of this file.</summary>
    public const int CurrentFormat = 1;

    public required int Format { get; init; }

    /// <summary>The folder's when it was measured: of other graphs these are no measurements.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>By the graph's file, relative to the folder.</summary>
    public required IReadOnlyDictionary<string, IReadOnlyList<VariantEvaluation>> Variants { get; init; }

    public static ExternalEvaluations Of(ModelManifest manifest) => new()
    {
        Format = CurrentFormat,
        Fingerprint = manifest.Fingerprint,
        Variants = manifest.Variants.Where(variant => variant.Evaluations.Count > 0)
            .ToDictionary(variant => variant.File, variant => variant.Evaluations),
    };

    /// <summary>The manifest with what was measured of these very graphs, if anything was.</summary>
    /// <exception cref="InvalidModelException">The file is damaged or of another form.</exception>
    public static ModelManifest AddTo(ModelManifest manifest, string folder)
    {
        if (Find(Path.Combine(folder, FileName)) is not { } kept || kept.Fingerprint != manifest.Fingerprint) return manifest;
        return manifest with
        {
            Variants =
            [.. manifest.Variants.Select(variant => variant with { Evaluations = kept.Variants.GetValueOrDefault(variant.File, []) })]
        };
    }

    /// <summary>The file for a copy of the folder in which all graphs have the same time of writing; null where nothing was measured of the graphs
    /// that are here.</summary>
    /// <param name="manifest">With what was measured.</param>
    public static byte[]? ForCopy(ModelManifest manifest, DateTime written) => manifest.Variants.Any(variant => variant.Evaluations.Count > 0)
        ? JsonSerializer.SerializeToUtf8Bytes(Of(manifest) with { Fingerprint = ExternalVariants.Fingerprint(manifest.Variants, _ => written) },
        ExternalEvaluationsJson.Default.ExternalEvaluations)
        : null;

    public void Save(string path) =>
        AtomicFile.Replace(path, stream => JsonSerializer.Serialize(stream, this, ExternalEvaluationsJson.Default.ExternalEvaluations));

    private static ExternalEvaluations? Find(string path)
    {
        try
        {
            using var stream = File.OpenRead(path);
            return JsonSerializer.Deserialize(stream, ExternalEvaluationsJson.Default.ExternalEvaluations) is { Format: CurrentFormat } kept ? kept
                : throw new InvalidModelException(
                $"{path} is not of format {CurrentFormat}, which this version reads: delete it and evaluate the model again.");
        }
        catch (FileNotFoundException)
        {
            return null;
        }
        catch (JsonException e)
        {
            throw new InvalidModelException($"{path} is damaged: delete it and evaluate the model again. {e.Message}", e);
        }
    }
}

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, RespectNullableAnnotations = true,
    UseStringEnumConverter = true)]
[JsonSerializable(typeof(ExternalEvaluations))]
internal sealed partial class ExternalEvaluationsJson : JsonSerializerContext;
