using R1Serverless.Engine.Evaluation;

namespace R1Serverless.Bench;

/// <summary>What a load got: tokens, time, and when they came. Times are in milliseconds.</summary>
internal sealed record LoadResult
{
    public required int Tokens { get; init; }

    public required double Seconds { get; init; }

    public required Percentiles FirstToken { get; init; }

    /// <summary>Between two pieces of text of one stream.</summary>
    public required Percentiles Gap { get; init; }

    public double TokensPerSecond => Tokens / Seconds;
}

/// <summary>Milliseconds at the median and at the 99th percentile.</summary>
internal readonly record struct Percentiles(double P50, double P99)
{
    public static Percentiles Of(List<double> values)
    {
        if (values.Count == 0) return default;
        values.Sort();
        return new Percentiles(values[(values.Count - 1) / 2], values[(int)((values.Count - 1) * 0.99)]);
    }

    /// <summary>Each percentile's median.</summary>
    public static Percentiles Median(IEnumerable<Percentiles> rounds)
    {
        Percentiles[] all = [.. rounds];
        return new Percentiles(InterleavedRates.Median(all.Select(one => one.P50)), InterleavedRates.Median(all.Select(one => one.P99)));
    }
}
