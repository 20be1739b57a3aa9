using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Runtime;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Bench;

/// <summary>What loading one graph costs, measured in a process that has done nothing else.</summary>
/// <param name="LoadSeconds">From the files to a session.</param>
/// <param name="MemoryBytes">Resident memory that the process grew by until it had loaded the graph and decoded its largest batch.</param>
internal sealed record VariantProbe(double LoadSeconds, long MemoryBytes)
{
    /// <summary>The hidden verb that runs it.</summary>
    public const string Verb = "variant-probe";

    private const int PromptTokens = 8, Tokens = 17;

    /// <summary>In this process, which should be a fresh one.</summary>
    /// <param name="folder">The model.</param>
    /// <param name="file">The variant's graph, as the manifest names it.</param>
    /// <param name="rows">Its largest batch.</param>
    /// <param name="device">Where it runs.</param>
    /// <exception cref="ModelLoadException">The variant can't be loaded or run.</exception>
    public static VariantProbe Run(ModelFolder folder, string file, int rows, DeviceKind device)
    {
        var before = Environment.WorkingSet;
        var began = Stopwatch.GetTimestamp();
        using var loop = new RawLoop(Path.Combine(folder.Path, file), new RuntimeOptions { Device = device }, folder.Names);
        var loaded = Stopwatch.GetElapsedTime(began);
        using var batch = loop.Prepare(rows, PromptTokens, Tokens);
        return new VariantProbe(loaded.TotalSeconds, Math.Max(0, Environment.WorkingSet - before));
    }

    /// <summary>In a child process of r1.</summary>
    /// <exception cref="BenchException">The child failed; its own message is on the error stream.</exception>
    public static async Task<VariantProbe> RunChildAsync(
        ModelFolder folder, ModelVariant variant, int rows, DeviceKind device, CancellationToken cancellation)
    {
        string[] arguments =
        [
            Verb, "--model", folder.Path, "--file", variant.File, "--rows", rows.ToString(CultureInfo.InvariantCulture),
            "--device", device.ToString(),
        ];
        var self = Environment.ProcessPath!;
        // Anything but the published program is .NET, with this assembly to run.
        var isR1 = Path.GetFileNameWithoutExtension(self) == "r1";
        ProcessStartInfo start = new(isR1 ? self : "dotnet", isR1 ? arguments : [typeof(VariantProbe).Assembly.Location, .. arguments])
        {
            RedirectStandardOutput = true, UseShellExecute = false,
        };
        using var child = Process.Start(start) ?? throw new BenchException("The process for a variant did not start.");
        try
        {
            var output = await child.StandardOutput.ReadToEndAsync(cancellation);
            await child.WaitForExitAsync(cancellation);
            if (child.ExitCode != 0) throw new BenchException($"The process that loaded {variant.File} ended with {child.ExitCode}.");
            return JsonSerializer.Deserialize(output, BenchJson.Default.VariantProbe)!;
        }
        finally
        {
            // Only still there if this was cancelled.
            if (!child.HasExited) child.Kill();
        }
    }
}
