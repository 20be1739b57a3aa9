using R1Serverless.Abstractions;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>What `bench precision` measures.</summary>
/// <param name="Precisions">The variants; empty means all.</param>
/// <param name="Rows">Rows of the step batch, 1 to 1024 each; 1 is among them.</param>
/// <param name="Rounds">How often each is measured; medians are reported.</param>
/// <param name="Engine">Whether the engine is measured beside the bare loop.</param>
internal sealed record PrecisionOptions(IReadOnlyList<Precision> Precisions, IReadOnlyList<int> Rows, int Rounds, bool Engine)
{
    /// <summary>Where the engine is measured, as far as the rows are among those asked for.</summary>
    public static IReadOnlyList<int> EngineRows { get; } = [1, 16];
}
