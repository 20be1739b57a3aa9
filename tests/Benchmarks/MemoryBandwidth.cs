using System.Diagnostics;
using System.Numerics;
using System.Runtime.InteropServices;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>
/// How fast this machine reads memory: a thread per core adds up its part of one gibibyte, far more than any cache holds, with vectors and without a
/// branch per element. A decode step at one row reads every weight once, so it cannot be faster than this.
/// </summary>
internal sealed class MemoryBandwidth
{
    private const int Passes = 5;
    private const int Unrolled = 8;

    private readonly ulong[][] _parts;
    private ulong _sum;

    /// <param name="bytes">What a pass reads, all cores together.</param>
    public MemoryBandwidth(long bytes = 1L << 30)
    {
        var cores = Environment.ProcessorCount;
        _parts = [.. Enumerable.Range(0, cores)
            .Select(_ => GC.AllocateUninitializedArray<ulong>((int)Math.Min(bytes / sizeof(ulong) / cores, Array.MaxLength)))];
        // No two pages alike: equal ones, as those that nobody has written, may be one and the same to the system below.
        foreach (var part in _parts) FillUnlike(part);
    }

    /// <summary>Bytes per second: the best of several passes.</summary>
    public double Measure() => Enumerable.Range(0, Passes).Max(_ => RunPass());

    private static void FillUnlike(ulong[] part)
    {
        for (var i = 0; i < part.Length; i++) part[i] = (ulong)(i + 1) * 0x9E3779B97F4A7C15;
    }

    private double RunPass()
    {
        using var ready = new CountdownEvent(_parts.Length);
        using var start = new ManualResetEventSlim();
        var threads = _parts.Select(part => new Thread(() =>
        {
            ready.Signal();
            start.Wait();
            Interlocked.Add(ref _sum, Sum(part));
        })).ToArray();
        foreach (var thread in threads) thread.Start();
        ready.Wait();
        // Before they may begin: on a busy machine they could have ended before this thread goes on.
        var began = Stopwatch.GetTimestamp();
        start.Set();
        foreach (var thread in threads) thread.Join();
        return _parts.Sum(part => (double)part.Length * sizeof(ulong)) / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    /// <summary>Several sums at a time: an addition waits for the one before it.</summary>
    private static ulong Sum(ulong[] values)
    {
        var vectors = MemoryMarshal.Cast<ulong, Vector<ulong>>(values);
        Vector<ulong> a = default, b = default, c = default, d = default, e = default, f = default, g = default, h = default;
        var i = 0;
        for (; i + Unrolled <= vectors.Length; i += Unrolled)
        {
            a += vectors[i];
            b += vectors[i + 1];
            c += vectors[i + 2];
            d += vectors[i + 3];
            e += vectors[i + 4];
            f += vectors[i + 5];
            g += vectors[i + 6];
            h += vectors[i + 7];
        }

        for (; i < vectors.Length; i++) a += vectors[i];
        return Vector.Sum(a + b + c + d + e + f + g + h);
    }
}
