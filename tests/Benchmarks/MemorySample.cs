namespace R1Serverless.Tests.Benchmarks;

/// <summary>A server's memory after so many requests, in bytes.</summary>
/// <param name="Refused">Requests that it had refused by then.</param>
/// <param name="Resident">Of the process.</param>
/// <param name="Heap">Managed, as its last collection left it.</param>
internal sealed record MemorySample(int Refused, long Resident, long Heap)
{
    /// <summary>Bytes a request in the second half of the requests, by least squares: what grows in the first half may be warm-up. Null where fewer
    /// than two samples are from the second half.</summary>
    /// <param name="samples">In their order.</param>
    public static double? Growth(IReadOnlyList<MemorySample> samples, Func<MemorySample, long> bytes)
    {
        MemorySample[] half = [.. samples.Where(one => one.Refused * 2L >= samples[^1].Refused)];
        if (half.Length < 2) return null;
        var (requests, mean) = (half.Average(one => one.Refused), half.Average(one => bytes(one)));
        return half.Sum(one => (one.Refused - requests) * (bytes(one) - mean)) / half.Sum(one => Math.Pow(one.Refused - requests, 2));
    }
}
