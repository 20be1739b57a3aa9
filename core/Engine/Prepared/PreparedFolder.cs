using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.ML.OnnxRuntime;
using R1Serverless.Engine.Devices;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Storage.Files;

namespace R1Serverless.Engine.Prepared;

/// <summary>Where a model's prepared graphs are, and whether one fits this machine: <c>.prepared/GRAPH-KEY/</c> in the model's folder, one per key.
/// Hidden, so that a model that is pushed travels without it.</summary>
public static class PreparedFolder
{
    /// <summary>Of a model's folder.</summary>
    public const string Name = PreparedManifest.FolderName;

    /// <summary>Raise it when the same graph would be prepared in another way.</summary>
    private const int Form = 4;

    private const int KeyDigits = 12;

    /// <summary>The key of a variant on the device that the options prefer.</summary>
    public static PreparedKey KeyOf(ModelFolder folder, ModelVariant variant, RuntimeOptions options)
    {
        var processor = Processors.Look();
        using var graph = File.OpenRead(folder.GraphPath(variant));
        FileInfo[] data = [.. variant.DataFiles.Select(file => ResolvedFile.At(Path.Combine(folder.Path, file)))];
        return new PreparedKey
        {
            Form = Form,
            Runtime = OrtEnv.Instance().GetVersionString(),
            Device = ExecutionProvider.Preferred(options).Name,
            Processor = $"{processor.Name}, {string.Join(' ', processor.InstructionSets)}",
            Graph = Convert.ToHexStringLower(SHA256.HashData(graph)),
            WeightBytes = data.Length == 0 ? 0 : data[0].Length,
            WeightsWritten = data.Length == 0 ? null : Written(data[0]),
            MoreWeights = data.Length < 2 ? null
                : string.Concat(
                variant.MoreDataFiles.Zip(data.Skip(1),
                (name, file) => string.Create(CultureInfo.InvariantCulture, $"{name} {file.Length} {Written(file):u}\n"))),
        };
    }

    /// <summary>The folder for a key. It need not exist.</summary>
    public static string PathOf(ModelFolder folder, ModelVariant variant, PreparedKey key)
    {
        var text = string.Create(CultureInfo.InvariantCulture,
            $"{key.Form}\n{key.Runtime}\n{key.Device}\n{key.Processor}\n{key.Graph}\n{key.WeightBytes}\n{key.WeightsWritten:u}{key.MoreWeights}");
        return Path.Combine(folder.Path, Name,
            $"{Stem(variant)}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..KeyDigits]}");
    }

    /// <summary>All that was prepared of a variant, for whatever key.</summary>
    public static IReadOnlyList<(string Path, PreparedManifest Manifest)> All(ModelFolder folder, ModelVariant variant)
    {
        var path = Path.Combine(folder.Path, Name);
        if (!Directory.Exists(path)) return [];
        return [.. Directory.EnumerateDirectories(path, $"{Stem(variant)}-*")
            .Where(one => Path.GetFileName(one).Length == Stem(variant).Length + 1 + KeyDigits)
            .Select(one => (one, PreparedManifest.Find(Path.Combine(one, PreparedManifest.FileName))))
            .Where(one => one.Item2 is not null).Select(one => (one.one, one.Item2!))];
    }

    /// <summary>What is prepared for this machine, and why there is none although something was prepared; neither where nothing was, or where models
    /// run on a device that nothing is prepared for.</summary>
    public static PreparedState Detect(ModelFolder folder, ModelVariant variant, RuntimeOptions options) =>
        Detect(folder, variant, options, ExecutionProvider.Preferred);

    internal static PreparedState Detect(ModelFolder folder, ModelVariant variant, RuntimeOptions options,
        Func<RuntimeOptions, ExecutionProvider> device)
    {
        try
        {
            return All(folder, variant) is { Count: > 0 } all && Serves(device(options)) ? Detect(folder, variant, options, all)
                : new PreparedState(null, null, null);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return new PreparedState(null, null, fault.Message.TrimEnd('.'));
        }
    }

    /// <summary>Weights are packed on the CPU only.</summary>
    public static bool Serves(ExecutionProvider device) => device.Name == ExecutionProvider.CpuName;

    private static PreparedState Detect(ModelFolder folder, ModelVariant variant, RuntimeOptions options,
        IReadOnlyList<(string Path, PreparedManifest Manifest)> all)
    {
        var key = KeyOf(folder, variant, options);
        var path = PathOf(folder, variant, key);
        var found = all.FirstOrDefault(one => one.Path == path && one.Manifest.Key == key);
        if (found.Path is null)
            return new PreparedState(null, null, key.DifferenceFrom(all[^1].Manifest.Key) ?? "its folder has another name than its key");
        return Damage(found.Path, found.Manifest) is { } damage ? new PreparedState(null, null, damage)
            : new PreparedState(found.Path, found.Manifest, null);
    }

    /// <summary>What can be seen without reading the weights: the graph's hash and the weights' length. Their content is checked by the golden
    /// answers once they are loaded.</summary>
    private static string? Damage(string path, PreparedManifest manifest)
    {
        var weights = new FileInfo(Path.Combine(path, PreparedManifest.WeightsFile));
        if (!weights.Exists || weights.Length != manifest.WeightBytes) return $"{weights.FullName} is not whole";
        if (manifest.Hole is { } hole && !hole.FitsIn(manifest.WeightBytes)) return $"{Path.Combine(path, PreparedManifest.FileName)} is damaged";
        var graph = Path.Combine(path, PreparedManifest.GraphFile);
        if (!File.Exists(graph)) return $"{graph} is not there";
        using var stream = File.OpenRead(graph);
        return Convert.ToHexStringLower(SHA256.HashData(stream)) == manifest.Graph ? null : $"{graph} is damaged";
    }

    /// <summary>To the second, which every file system and archive keeps.</summary>
    private static DateTimeOffset Written(FileInfo file) =>
        DateTimeOffset.FromUnixTimeSeconds(new DateTimeOffset(file.LastWriteTimeUtc).ToUnixTimeSeconds());

    private static string Stem(ModelVariant variant) => Path.GetFileNameWithoutExtension(variant.File);
}

/// <summary>Whether a variant is prepared for this machine.</summary>
/// <param name="Path">The folder to use; null where there is none.</param>
/// <param name="Manifest">That folder's.</param>
/// <param name="Refusal">Why what was prepared is not used, in words; null where it is, or where nothing was prepared.</param>
public sealed record PreparedState(string? Path, PreparedManifest? Manifest, string? Refusal);
