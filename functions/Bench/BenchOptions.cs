using R1Serverless.Building;
using R1Serverless.Runtime;

namespace R1Serverless.Bench;

/// <summary>What `r1 bench` measures, and the ratios that are good enough.</summary>
/// <param name="Rounds">How often each way is measured; medians are reported.</param>
/// <param name="Http">Whether a server and a client process are measured too.</param>
/// <param name="Clients">How many at once; mixed lengths are measured where 32 is among them.</param>
/// <param name="Runtime">Where all of it runs; the server is told the device alone.</param>
internal sealed record BenchOptions(int Rounds, bool Http, IReadOnlyList<int> Clients, RuntimeOptions Runtime)
{
    /// <summary>The generated model's name.</summary>
    public const string Synthetic = "bench-50m";

    /// <summary>The large one's.</summary>
    public const string Large = "bench-1.5b";

    /// <summary>On r1-nano a step takes so little that every microsecond between steps shows: the bar is lower.</summary>
    public double? EngineBar(string model) => model == Synthetic ? 0.95 : model == ShippedModels.Nano ? 0.85 : null;

    public double? HttpBar(string model) => model == Synthetic ? 0.85 : null;

    public double? ContinuousBar(string model) => model == Synthetic ? 1.5 : null;
}
