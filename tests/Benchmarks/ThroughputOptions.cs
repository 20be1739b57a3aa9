using R1Serverless.Engine.Devices;
using R1Serverless.ModelBuilder.Checkpoints;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>What `bench throughput` measures, and the ratios that are good enough.</summary>
/// <param name="Rounds">How often each way is measured; medians are reported.</param>
/// <param name="Http">Whether a server and a client process are measured too.</param>
/// <param name="Executable">The server's; null for the build beside this assembly.</param>
/// <param name="Clients">How many at once; mixed lengths are measured where 32 is among them.</param>
/// <param name="Runtime">Where all of it runs; the server is told the device alone.</param>
internal sealed record ThroughputOptions(int Rounds, bool Http, string? Executable, IReadOnlyList<int> Clients, RuntimeOptions Runtime)
{
    /// <summary>On r1-nano a step takes so little that every microsecond between steps shows: the bar is lower.</summary>
    public double? EngineBar(string model) => model == MeasuredModels.Synthetic ? 0.95 : model == ShippedModels.Nano ? 0.85 : null;

    public double? HttpBar(string model) => model == MeasuredModels.Synthetic ? 0.85 : null;

    public double? ContinuousBar(string model) => model == MeasuredModels.Synthetic ? 1.5 : null;
}
