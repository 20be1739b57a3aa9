using R1Serverless.Building;
using R1Serverless.Models;

namespace R1Serverless.Bench;

/// <summary>The models that are measured: found, or built on demand.</summary>
internal static class BenchModels
{
    /// <exception cref="InvalidModelException">There is no such model.</exception>
    public static ModelFolder Find(string name, ModelRepository repository)
    {
        if (name == BenchOptions.Synthetic) return repository.Find(name) ?? BuildSynthetic(repository);
        if (ShippedModels.Find(name) is { } checkpoint) return repository.EnsureBuilt(checkpoint, name, TimeProvider.System);
        return repository.Find(name) ?? throw new InvalidModelException($"There is no model '{name}' in {repository.Path}.");
    }

    private static ModelFolder BuildSynthetic(ModelRepository repository)
    {
        var tokenizer = ShippedModels.Find(ShippedModels.Nano) ?? throw new InvalidModelException($"{ShippedModels.Nano} is not beside the executable.");
        var checkpoint = Directory.CreateTempSubdirectory("r1-bench-");
        try
        {
            SyntheticCheckpoint.Write(checkpoint.FullName, SyntheticShape.Bench, tokenizer);
            return ModelBuilder.Build(checkpoint.FullName, repository.FolderOf(BenchOptions.Synthetic), BenchOptions.Synthetic, TimeProvider.System);
        }
        finally
        {
            checkpoint.Delete(recursive: true);
        }
    }
}
