using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>Variations of a model that must not be served.</summary>
internal static class ChangedModel
{
    /// <summary>A copy of the model's files whose graphs end in the middle.</summary>
    public static ModelFolder Damage(ModelFolder model, string target)
    {
        var copy = Copy(model, target);
        foreach (var variant in copy.Manifest.Variants)
        {
            using var graph = new FileStream(copy.GraphPath(variant), FileMode.Open);
            graph.SetLength(graph.Length / 2);
        }

        return copy;
    }

    /// <summary>A copy whose evaluations on a device are far beyond any tolerance.</summary>
    public static ModelFolder Spoil(ModelFolder model, string target, string device)
    {
        var copy = Copy(model, target);
        var poor = new VariantEvaluation
        {
            Device = device, Measured = DateTimeOffset.UnixEpoch, Tasks = 1000, Accuracy = 0.5, AccuracyDrop = 49, TokenAgreement = 0.5,
            KlDivergence = 1, Tolerance = 1.2,
            TokensPerSecond = new Dictionary<int, double> { [1] = 1 }, MemoryBytes = 0,
        };
        var manifest = copy.Manifest;
        foreach (var variant in copy.Manifest.Variants) manifest = manifest.WithEvaluation(variant.File, poor);
        manifest.Save(Path.Combine(copy.Path, ModelManifest.FileName));
        return ModelFolder.Open(copy.Path);
    }

    private static ModelFolder Copy(ModelFolder model, string target)
    {
        Directory.CreateDirectory(target);
        foreach (var file in Directory.EnumerateFiles(model.Path)) File.Copy(file, Path.Combine(target, Path.GetFileName(file)));
        return ModelFolder.Open(target);
    }
}
