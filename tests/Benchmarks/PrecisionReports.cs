using R1Serverless.Abstractions;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>Reports that tests write out.</summary>
internal static class PrecisionReports
{
    public static readonly PrecisionReport Small = Of(50_000_000, Int8(100_000_000, (1, 2.5, 0.5, null), (32, 1.25, null, 9)), Fp32(200_000_000));

    public static readonly PrecisionReport Large = Of(1_780_000_000, Int8(2_000_000_000, (1, null, 0.7, null), (16, null, null, 3.5)));

    public static PrecisionReport Of(long parameters, params PrecisionRow[] variants) =>
        new("bench", parameters, 27.5e9, 30.25e9, new BuildCost(61.25, 2_100_000_000), [.. variants.OrderBy(v => v.Precision)]);

    private static PrecisionRow Fp32(long bytes) =>
        new(Precision.Fp32, bytes, bytes, 1.5, 300_000_000, [new PrecisionRate(1, 14.25, null, 0.9, null, 0.98)]);

    private static PrecisionRow Int8(long bytes, params (int Rows, double? OverFp32, double? OfBandwidth, double? OverOne)[] rates) =>
        new(Precision.Int8, bytes, bytes / 2, 0.5, 150_000_000,
            [.. rates.Select(r => new PrecisionRate(r.Rows, 1000 * r.Rows, r.OverFp32, r.OfBandwidth, r.OverOne, null))]);
}
