using R1Serverless.Models;

namespace R1Serverless.Tests.Engine.ModelHosting;

/// <summary>Evaluations as `r1 model evaluate` writes them.</summary>
internal static class Measured
{
    /// <param name="speed">Tokens per second with eight rows.</param>
    public static VariantEvaluation On(string device, double drop, double speed, double tolerance = 1.2, long memory = 0) => new()
    {
        Device = device, Measured = DateTimeOffset.UnixEpoch, Tasks = 2000, Accuracy = 0.99 - (drop / 100), AccuracyDrop = drop,
        TokenAgreement = 0.99, KlDivergence = 0.001,
        Tolerance = tolerance, TokensPerSecond = new Dictionary<int, double> { [1] = speed / 8, [8] = speed, [32] = speed * 2 }, MemoryBytes = memory,
    };
}
