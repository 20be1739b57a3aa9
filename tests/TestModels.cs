using R1Serverless.Building;
using R1Serverless.Models;

namespace R1Serverless.Tests;

/// <summary>Where the tests find the repository and the models they run; built once per test run.</summary>
internal static class TestModels
{
    private static readonly ModelRepository Built = new(Directory.CreateTempSubdirectory("r1-tests-").FullName);
    private static readonly Lazy<ModelFolder> LazyNano = new(() => Built.EnsureBuilt(NanoCheckpoint, ShippedModels.Nano, TimeProvider.System));

    public static string RepositoryRoot { get; } = FindRoot();

    public static string NanoCheckpoint => Path.Combine(RepositoryRoot, "models", ShippedModels.Nano);

    /// <summary>A model repository of this test run.</summary>
    public static ModelRepository Repository => Built;

    public static ModelFolder Nano => LazyNano.Value;

    public static string NanoGraph => Nano.GraphPath(Nano.Manifest.Variants[0]);

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "R1Serverless.sln"))) folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("The tests run from inside the repository: no R1Serverless.sln above them.");
    }
}
