using R1Serverless.Abstractions;
using R1Serverless.ModelBuilder;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Tests;

/// <summary>Where the tests find the repository and the models they run; built once per test run.</summary>
internal static class TestModels
{
    private static readonly ModelRepository Built = new(Directory.CreateTempSubdirectory("r1-tests-").FullName);
    private static readonly Lazy<ModelFolder> LazyNano = new(() => Built.EnsureBuilt(NanoCheckpoint, ShippedModels.Nano, TimeProvider.System));

    private static readonly Lazy<ModelFolder> LazyNanoKv8 = new(() =>
        CheckpointBuilder.Build(NanoCheckpoint, Built.FolderOf("nano-kv8"), "nano-kv8", TimeProvider.System, [Precision.Fp32, Precision.Int8],
            kv: KvFormat.Int8));

    public static string RepositoryRoot { get; } = FindRoot();

    public static string NanoCheckpoint => Path.Combine(RepositoryRoot, "models", ShippedModels.Nano);

    /// <summary>A model repository of this test run.</summary>
    public static ModelRepository Repository => Built;

    public static ModelFolder Nano => LazyNano.Value;

    /// <summary>The same with keys and values in 8 bits: FP32 and INT8.</summary>
    public static ModelFolder NanoKv8 => LazyNanoKv8.Value;

    public static string NanoGraph => Nano.GraphPath(Nano.Manifest.Variants[0]);

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "R1Serverless.sln"))) folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("The tests run from inside the repository: no R1Serverless.sln above them.");
    }
}
