namespace R1Serverless.Tests.Benchmarks;

/// <summary>What a rest costs on this machine, whoever runs there: a calculation alone, without this program's server or model.</summary>
internal static class RestCost
{
    private const int Cells = 1 << 18, Hops = 20_000, Sums = 300_000, Runs = 21, Stride = 7919;

    /// <summary>How many times as long a calculation of about a millisecond takes after a rest as without one; medians.</summary>
    public static async Task<double> MeasureAsync(TimeSpan rest, TimeProvider time, CancellationToken cancellation)
    {
        int[] next = [.. Enumerable.Range(0, Cells).Select(i => (int)((((long)i * Stride) + 1) % Cells))];
        var busy = ColdStartRow.MedianOf(Enumerable.Range(0, 4 * Runs).Select(_ => Calculate(next, time)));
        List<double> rested = [];
        for (var i = 0; i < Runs; i++)
        {
            await Task.Delay(rest, time, cancellation);
            rested.Add(Calculate(next, time));
        }

        return ColdStartRow.MedianOf(rested) / busy;
    }

    /// <summary>Milliseconds.</summary>
    private static double Calculate(int[] next, TimeProvider time)
    {
        long began = time.GetTimestamp(), sum = 0;
        var at = 0;
        for (var i = 0; i < Hops; i++) at = next[at];
        for (var i = 0; i < Sums; i++) sum = (sum * Stride) + at + i;
        var elapsed = time.GetElapsedTime(began).TotalMilliseconds;
        // The result is used, or nothing would be calculated.
        return sum == long.MinValue ? double.NaN : elapsed;
    }
}
