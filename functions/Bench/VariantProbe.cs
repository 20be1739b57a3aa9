using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using R1Serverless.Runtime;

namespace R1Serverless.Bench;

/// <summary>What loading one graph costs, measured in a process that has done nothing else.</summary>
/// <param name="LoadSeconds">From the files to a session.</param>
/// <param name="MemoryBytes">Resident memory that the process grew by until it had loaded the graph and decoded its largest batch.</param>
/// <param name="PeakBytes">The most resident memory it ever held.</param>
internal sealed record VariantProbe(double LoadSeconds, long MemoryBytes, long PeakBytes)
{
    private const int PromptTokens = 8, Tokens = 17;

    /// <summary>In this process, which should be a fresh one.</summary>
    /// <exception cref="ModelLoadException">The file is missing or no decoder graph.</exception>
    public static VariantProbe Run(string graphPath, int rows)
    {
        var before = Environment.WorkingSet;
        var began = Stopwatch.GetTimestamp();
        using var loop = new RawLoop(graphPath, new RuntimeOptions());
        var loaded = Stopwatch.GetElapsedTime(began);
        using var batch = loop.Prepare(rows, PromptTokens, Tokens);
        return new VariantProbe(loaded.TotalSeconds, Math.Max(0, Environment.WorkingSet - before), ChildProcess.OwnPeak());
    }

    /// <summary>In a child process.</summary>
    /// <exception cref="BenchException">The child failed; its own message is on the error stream.</exception>
    public static async Task<VariantProbe> RunChildAsync(string graphPath, int rows, CancellationToken cancellation) =>
        JsonSerializer.Deserialize(
            await ChildProcess.ReadAsync(cancellation, "bench-probe", "--graph", graphPath, "--rows", rows.ToString(CultureInfo.InvariantCulture)),
            BenchJson.Default.VariantProbe)!;
}
