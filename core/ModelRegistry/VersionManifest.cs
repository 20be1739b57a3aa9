using System.Text.Json;
using System.Text.Json.Serialization;
using R1Serverless.Models;
using R1Serverless.Storage;

namespace R1Serverless.ModelRegistry;

/// <summary>What a version of a model consists of: the object <c>models/NAME/versions/VERSION/r1-version.json</c>. It is written last: a version
/// without it does not exist.</summary>
public sealed record VersionManifest
{
    public const string FileName = "r1-version.json";

    /// <summary>The form of this object; another form is refused.</summary>
    public const int CurrentFormat = 2;

    private const int HashDigits = 64;

    /// <summary>All files together: far more than any disk has, and far from what can't be added up.</summary>
    private const long MaxBytes = 1L << 56;

    public required int Format { get; init; }

    public required string Model { get; init; }

    public required string Version { get; init; }

    public required DateTimeOffset Pushed { get; init; }

    /// <summary>User and machine.</summary>
    public required string PushedBy { get; init; }

    /// <summary>The push's own folder, beside this object: of two pushes of one version, neither writes over the other's files.</summary>
    public required string Folder { get; init; }

    /// <summary>At least one, each path once.</summary>
    public required IReadOnlyList<VersionFile> Files { get; init; }

    [JsonIgnore]
    public long Bytes => Files.Sum(file => file.Bytes);

    /// <param name="json">The object's content.</param>
    /// <param name="where">For messages.</param>
    /// <exception cref="InvalidModelException">It is damaged, of another form, or names files that no model folder may have.</exception>
    public static VersionManifest Read(ReadOnlySpan<byte> json, string where)
    {
        VersionManifest? manifest;
        try
        {
            manifest = JsonSerializer.Deserialize(json, DeliveryJson.Default.VersionManifest);
        }
        catch (JsonException fault)
        {
            throw new InvalidModelException($"{where} is damaged: {fault.Message}", fault);
        }

        return manifest switch
        {
            null => throw new InvalidModelException($"{where} is empty."),
            { Format: not CurrentFormat } => throw new InvalidModelException(
                $"{where} has format {manifest.Format}, but this version of r1 reads format {CurrentFormat}: push the model again."),
            _ when manifest.Folder.Contains('/', StringComparison.Ordinal) || !ObjectName.IsValid(manifest.Folder) =>
                throw new InvalidModelException($"{where} is damaged: its files can't be in the folder '{manifest.Folder}'."),
            { Files.Count: 0 } => throw new InvalidModelException($"{where} lists no files."),
            _ when manifest.Files.Any(file => file is null) => throw new InvalidModelException($"{where} is damaged: one of its files is nothing."),
            _ when manifest.Files.FirstOrDefault(file => !IsSound(file)) is { } wrong =>
                throw new InvalidModelException($"{where} is damaged: what it says of the file '{wrong.Path}' can't be."),
            _ when manifest.Files.Any(file => file.Bytes > MaxBytes / manifest.Files.Count) =>
                throw new InvalidModelException($"{where} is damaged: no disk has room for what it lists."),
            _ when manifest.Files.Select(file => file.Path).Distinct(StringComparer.OrdinalIgnoreCase).Count() < manifest.Files.Count =>
                throw new InvalidModelException($"{where} is damaged: it lists a file twice."),
            _ => manifest,
        };
    }

    public byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(this, DeliveryJson.Default.VersionManifest);

    private static bool IsSound(VersionFile file) =>
        ObjectName.IsValid(file.Path) && file.Path != FileName && file.Bytes >= 0 && file.Sha256.Length == HashDigits
            && file.Sha256.All(char.IsAsciiHexDigitLower);
}

/// <param name="Path">Below the model's folder, with slashes.</param>
/// <param name="Sha256">Of its content: 64 lower-case hexadecimal digits.</param>
public sealed record VersionFile(string Path, long Bytes, string Sha256)
{
    /// <summary>Where it lies in a copy of the folder.</summary>
    internal string In(string folder) => System.IO.Path.Combine([folder, .. Path.Split('/')]);
}

/// <summary>Which version is to be served: the object <c>models/NAME/active</c>.</summary>
/// <param name="Since">When it was activated, by the clock of whoever did.</param>
/// <param name="By">User and machine.</param>
/// <param name="Previous">The version that was active before; null where there was none.</param>
public sealed record ActiveVersion(string Version, DateTimeOffset Since, string By, string? Previous)
{
    /// <summary>Whether it may answer fewer right than the version that it takes over from.</summary>
    public bool LessAccurate { get; init; }
}

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(VersionManifest))]
[JsonSerializable(typeof(ActiveVersion))]
[JsonSerializable(typeof(ServedNote))]
internal sealed partial class DeliveryJson : JsonSerializerContext;
