using System.Security.Cryptography;
using System.Text;
using R1Serverless.Building;
using R1Serverless.Models;

namespace R1Serverless.Bench;

/// <summary>A model of random weights in the repository. A stamp in its folder names all that it was made from, so that none is measured that an older
/// version or another shape left there.</summary>
internal static class SyntheticModel
{
    public const string StampFile = "bench-stamp.txt";

    private const int Seed = 1;

    /// <summary>The model, built unless it is there, whole, and of this very stamp.</summary>
    /// <param name="tokenizer">The model folder whose tokenizer it gets, widened.</param>
    /// <exception cref="InvalidModelException">The tokenizer does not fit, or the folder is no model's.</exception>
    public static ModelFolder Ensure(ModelRepository repository, string name, SyntheticShape shape, string tokenizer, TimeProvider time)
    {
        var target = repository.FolderOf(name);
        var stamp = Stamp(shape, tokenizer);
        if (FindIntact(target, stamp) is { } found) return found;
        var checkpoint = Directory.CreateTempSubdirectory("r1-bench-");
        try
        {
            SyntheticCheckpoint.Write(checkpoint.FullName, shape, tokenizer, Seed);
            var built = ModelBuilder.Build(checkpoint.FullName, target, name, time);
            // Last: a model without its stamp is built again.
            File.WriteAllText(Path.Combine(target, StampFile), stamp);
            return built;
        }
        finally
        {
            checkpoint.Delete(recursive: true);
        }
    }

    private static string Stamp(SyntheticShape shape, string tokenizer)
    {
        var stamp = new StringBuilder($"builder {ModelBuilder.Version}\n{shape}\nseed {Seed}\n");
        foreach (var file in new[] { ModelFolder.TokenizerFile, ModelFolder.TokenizerConfigFile })
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
}
