using R1Serverless.Abstractions;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>A ratio and what is good enough.</summary>
/// <param name="What">The ratio, in words.</param>
/// <param name="Value">As measured.</param>
/// <param name="Limit">The least that is good enough; the most where <paramref name="IsMost"/>.</param>
/// <param name="IsMost">Smaller is better.</param>
internal sealed record PrecisionBar(string What, double Value, double Limit, bool IsMost = false)
{
    public bool IsHeld => IsMost ? Value <= Limit : Value >= Limit;
}

/// <summary>What INT8 must reach. Models below 50 million parameters have no bars: their steps are so short that calls, not arithmetic, take the
/// time.</summary>
internal static class PrecisionBars
{
    private const long Small = 50_000_000, Large = 1_000_000_000;

    /// <summary>Those whose two sides were measured.</summary>
    public static IReadOnlyList<PrecisionBar> Of(PrecisionReport report)
    {
        List<PrecisionBar> bars = [];
        if (report.Parameters < Small || report.Variants.FirstOrDefault(v => v.Precision == Precision.Int8) is not { } int8) return bars;
        Add("INT8 over FP32 at 1", At(1)?.OverFp32, 2);
        Add("INT8 over FP32 at 32", At(32)?.OverFp32, 1.5);
        if (report.Parameters < Large) return bars;
        Add("INT8 of the memory's bandwidth at 1", At(1)?.OfBandwidth, 0.65);
        Add("INT8 at 16 over itself at 1", At(16)?.OverOne, 4);
        // Without FP32 on the disk: its weights alone, four bytes each.
        var fp32 = report.Variants.FirstOrDefault(v => v.Precision == Precision.Fp32)?.FileBytes ?? report.Parameters * sizeof(float);
        bars.Add(new PrecisionBar("INT8's files over FP32's", (double)int8.FileBytes / fp32, 0.3, IsMost: true));
        return bars;

        PrecisionRate? At(int rows) => int8.Rates.FirstOrDefault(rate => rate.Rows == rows);

        void Add(string what, double? value, double limit)
        {
            if (value is { } measured) bars.Add(new PrecisionBar(what, measured, limit));
        }
    }
}
