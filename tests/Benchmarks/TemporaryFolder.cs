namespace R1Serverless.Tests.Benchmarks;

/// <summary>A folder that goes with its owner.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("r1-bench-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
