using R1Serverless.Building;
using R1Serverless.Models;

namespace R1Serverless.Bench;

/// <summary>The models that are measured: found, or built on demand.</summary>
internal static class BenchModels
{
    /// <exception cref="InvalidModelException">There is no such model.</exception>
    public static ModelFolder Find(string name, ModelRepository repository)
    {
        if (ShippedModels.Find(name) is { } checkpoint) return repository.EnsureBuilt(checkpoint, name, TimeProvider.System);
        if (name != BenchOptions.Synthetic) return repository.Find(name) ?? throw new InvalidModelException($"There is no model '{name}' in {repository.Path}.");
        var tokenizer = ShippedModels.Find(ShippedModels.Nano) ?? throw new InvalidModelException($"{ShippedModels.Nano} is not beside the executable.");
        return SyntheticModel.Ensure(repository, name, SyntheticShape.Bench, tokenizer, TimeProvider.System);
    }
}
