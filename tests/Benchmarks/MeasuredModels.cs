using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Bench;
using R1Serverless.ModelBuilder;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Tests.ModelBuilder;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>The models that are measured: found, or built on demand.</summary>
internal static class MeasuredModels
{
    /// <summary>The generated model's name.</summary>
    public const string Synthetic = "bench-50m";

    /// <summary>The large one's.</summary>
    public const string Large = "bench-1.5b";

    /// <summary>The model of this name, a generated one with at least these precisions. Generated ones are built in a process of their own.</summary>
    /// <param name="kv">Of a generated one; with 8 bits it is kept beside the plain one, with these precisions alone.</param>
    /// <exception cref="InvalidModelException">There is no such model.</exception>
    /// <exception cref="BenchException">The build failed; its own message is on the error stream.</exception>
    public static async Task<ModelFolder> FindAsync(
        string name, ModelRepository repository, IReadOnlyList<Precision> precisions, CancellationToken cancellation, KvFormat kv = KvFormat.Auto)
    {
        var kept = kv == KvFormat.Auto ? name : $"{name}-kv8";
        if (ShippedModels.Find(name) is { } checkpoint)
            return repository.EnsureBuilt(checkpoint, name, TimeProvider.System, cancellation: cancellation);
        if (Shape(name) is not { } shape)
            return repository.Find(name) ?? throw new InvalidModelException($"There is no model '{name}' in {repository.Path}.");
        var tokenizer = ShippedModels.Find(ShippedModels.Nano)
            ?? throw new InvalidModelException($"{ShippedModels.Nano} is not beside the executable.");
        return await SyntheticModel.EnsureAsync(
            repository, kept, shape, precisions, tokenizer, (source, target, wanted) => BuildAsync(source, target, kept, wanted, kv, cancellation));
    }

    /// <summary>The shape of a generated model; null for any other name.</summary>
    private static SyntheticShape? Shape(string name) => name switch
    {
        MeasuredModels.Synthetic => SyntheticShape.Bench,
        MeasuredModels.Large => SyntheticShape.DistillQwen15B,
        _ => null,
    };

    private static async Task<BuildCost> BuildAsync(
        string checkpoint, string target, string name, IReadOnlyList<Precision> precisions, KvFormat kv, CancellationToken cancellation)
    {
        var output = await ChildProcess.ReadAsync(ChildProcess.Start(
            BenchmarkCommands.Name, "build", "--checkpoint", checkpoint, "--output", target, "--name", name,
            "--precision", string.Join(',', precisions.Select(PrecisionName.Of)),
            "--kv", kv.ToString().ToLowerInvariant()), cancellation);
        return JsonSerializer.Deserialize(output, BenchmarkJson.Default.BuildCost)!;
    }
}
