using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.ModelBuilder.Graphs;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Tests.ModelBuilder;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>A model of random weights in the repository. A stamp in its folder names all that it was made from, so that none is measured that an
/// older version or another shape left there.</summary>
internal static class SyntheticModel
{
    public const string StampFile = "bench-stamp.txt";

    private const int Seed = 1;

    /// <summary>Raise it when the same shape and tokenizer would give another checkpoint.</summary>
    private const int Form = 2;

    /// <summary>What the build took is kept in this file of the model's folder.</summary>
    private const string CostFile = "bench-build.json";

    /// <summary>The model, built unless it is there, whole, of this very stamp and with these precisions.</summary>
    /// <param name="repository">Where it is kept.</param>
    /// <param name="name">Its name there.</param>
    /// <param name="shape">What to make.</param>
    /// <param name="precisions">The variants that are needed.</param>
    /// <param name="tokenizer">The model folder whose tokenizer it gets, widened.</param>
    /// <param name="build">Builds a checkpoint's folder into a model folder with these precisions.</param>
    /// <exception cref="InvalidModelException">The tokenizer does not fit, or the folder is no model's.</exception>
    public static async Task<ModelFolder> EnsureAsync(
        ModelRepository repository, string name, SyntheticShape shape, IReadOnlyList<Precision> precisions, string tokenizer, Builder build)
    {
        var target = repository.FolderOf(name);
        var stamp = Stamp(shape, tokenizer);
        var found = FindIntact(target, stamp);
        var there = found?.Manifest.Variants.Select(v => v.Precision).ToArray() ?? [];
        if (found is not null && precisions.All(there.Contains)) return found;
        var checkpoint = Directory.CreateTempSubdirectory("r1-bench-");
        try
        {
            SyntheticCheckpoint.Write(checkpoint.FullName, shape, tokenizer, Seed);
            var cost = await build(checkpoint.FullName, target, [.. precisions.Union(there).Order()]);
            await File.WriteAllTextAsync(Path.Combine(target, CostFile), JsonSerializer.Serialize(cost, BenchmarkJson.Default.BuildCost));
            // Last: a model without its stamp is built again.
            await File.WriteAllTextAsync(Path.Combine(target, StampFile), stamp);
            return ModelFolder.Open(target);
        }
        finally
        {
            checkpoint.Delete(recursive: true);
        }
    }

    /// <summary>What the build of this model took; null for one that was not made here.</summary>
    public static BuildCost? Cost(ModelFolder folder)
    {
        var path = Path.Combine(folder.Path, CostFile);
        return File.Exists(path) ? JsonSerializer.Deserialize(File.ReadAllText(path), BenchmarkJson.Default.BuildCost) : null;
    }

    private static string Stamp(SyntheticShape shape, string tokenizer)
    {
        var stamp = new StringBuilder($"builder {BuilderVersion.Current}\ncheckpoint {Form}\n{shape}\nseed {Seed}\n");
        foreach (var file in new[] { ModelFiles.TokenizerFile, ModelFiles.TokenizerConfigFile })
        {
            var path = Path.Combine(tokenizer, file);
            if (File.Exists(path)) stamp.Append($"{file} {Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)))}\n");
        }

        return stamp.ToString();
    }

    private static ModelFolder? FindIntact(string path, string stamp)
    {
        var stampPath = Path.Combine(path, StampFile);
        if (!File.Exists(stampPath) || File.ReadAllText(stampPath) != stamp) return null;
        try
        {
            var folder = ModelFolder.Open(path);
            return folder.Manifest.Variants.All(variant => Length(folder, variant) == variant.Bytes) ? folder : null;
        }
        catch (InvalidModelException)
        {
            return null;
        }
    }

    private static long Length(ModelFolder folder, ModelVariant variant) =>
        new FileInfo(folder.GraphPath(variant)).Length + (variant.DataFile is { } data ? new FileInfo(Path.Combine(folder.Path, data)).Length : 0);

    /// <summary>Builds <paramref name="checkpoint"/> into <paramref name="target"/> with these precisions, and tells what that took.</summary>
    public delegate Task<BuildCost> Builder(string checkpoint, string target, IReadOnlyList<Precision> precisions);
}
