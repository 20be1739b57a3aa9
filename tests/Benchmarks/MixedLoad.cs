using R1Serverless.Bench;

namespace R1Serverless.Tests.Benchmarks;

internal static class MixedLoad
{
    /// <summary>Outputs drawn evenly from a range, the same at each call.</summary>
    public static LoadShape Create(int clients, int requests, int promptTokens, int least, int most)
    {
        var random = new Random(20261123);
        return new LoadShape(clients, promptTokens, [.. Enumerable.Range(0, requests).Select(_ => random.Next(least, most + 1))]);
    }
}
