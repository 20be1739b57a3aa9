using System.Diagnostics;
using R1Serverless.Models;
using R1Serverless.Requests;

namespace R1Serverless.Bench;

/// <summary>Checks of `r1 serve` in a process of its own.</summary>
internal static class GpuServer
{
    private const int PromptTokens = 32;

    /// <summary>From the start of the process to the first text of a request that is sent as soon as it is ready.</summary>
    public static async Task<GpuFinding> StartAsync(GpuSubject subject, GpuOptions options, TimeProvider time, CancellationToken cancellation)
    {
        var (name, precision) = (subject.Folder.Name, PrecisionName.Of(subject.Variant.Precision));
        var began = Stopwatch.GetTimestamp();
        await using var server = await BenchServer.StartAsync(
            ["--model", subject.Folder.Path, "--load", $"{name}:{precision}", "--precision", precision, "--device", options.Device], ChildProcess.NoSettings, time, cancellation);
        var ready = Stopwatch.GetElapsedTime(began);
        using HttpClient client = new() { BaseAddress = server.Address };
        TimeSpan? first = null;
        await new HttpDoor(client, name).SendAsync(LoadShape.Uniform(1, 1, PromptTokens, 1).Prompt(0), outputTokens: 4, () => first ??= Stopwatch.GetElapsedTime(began), cancellation);
        return new(GpuOutcome.Measured, (first ?? TimeSpan.Zero).TotalSeconds, "s", $"from the start of a process to its first token; ready after {ready.TotalSeconds:0.00} s");
    }

    public static async Task<GpuFinding> SwapAsync(ModelFolder folder, GpuOptions options, TimeProvider time, Action<string> progress, CancellationToken cancellation)
    {
        HotSwapOptions swap = options.IsQuick ? new(4, PromptTokens, 50, TimeSpan.FromSeconds(1), options.Device) : new(32, PromptTokens, 200, TimeSpan.FromSeconds(5), options.Device);
        var report = await new HotSwapBench(folder, swap, time, progress).RunAsync(cancellation);
        return GpuFinding.Of(
            report.IsHeld, report.Phases.Max(phase => phase.MaxGap), "ms, largest gap",
            $"{report.Phases.Sum(phase => phase.Requests)} requests of {report.Streams} streams while versions changed, {report.Failures} failed; no gap may be longer than {HotSwapReport.LargestGap:0} ms");
    }
}
