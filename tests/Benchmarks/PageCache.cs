using System.Diagnostics;
using R1Serverless.Bench;
using R1Serverless.Engine.Runtime;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>What the system keeps of files in memory.</summary>
internal static class PageCache
{
    /// <summary>Drops a file that nobody has mapped or is writing; needs no rights. Only Linux knows how.</summary>
    /// <exception cref="BenchException">The system can't.</exception>
    public static void Drop(string path)
    {
        if (!OperatingSystem.IsLinux()) throw new BenchException("Files can be dropped from the page cache on Linux only; leave out --cold.");
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        // Pages that are yet to be written can't be dropped.
        RandomAccess.FlushToDisk(file);
        if (!Readahead.Drop(file)) throw new BenchException($"{path} can't be dropped from the page cache.");
    }

    /// <summary>Reads the first bytes of a file in order; the seconds that took.</summary>
    public static double Read(string path, long bytes)
    {
        var buffer = new byte[1 << 20];
        var began = Stopwatch.GetTimestamp();
        using var file = File.OpenHandle(path, options: FileOptions.SequentialScan);
        for (var at = 0L; at < bytes;)
        {
            var read = RandomAccess.Read(file, buffer.AsSpan(0, (int)Math.Min(buffer.Length, bytes - at)), at);
            if (read == 0) break;
            at += read;
        }

        return Stopwatch.GetElapsedTime(began).TotalSeconds;
    }
}
