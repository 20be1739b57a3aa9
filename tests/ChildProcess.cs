using System.Diagnostics;
using System.Reflection;
using R1Serverless.Bench;

namespace R1Serverless.Tests;

/// <summary>Processes beside this one: the tests' own executable with other arguments, or r1.</summary>
internal static class ChildProcess
{
    public static IReadOnlyDictionary<string, string> NoSettings { get; } = new Dictionary<string, string>();

    /// <summary>The most resident memory this process ever held, in bytes.</summary>
    public static long OwnPeak()
    {
        using var self = Process.GetCurrentProcess();
        return self.PeakWorkingSet64;
    }

    /// <summary>This executable.</summary>
    public static Process Start(params string[] arguments)
    {
        var self = Environment.ProcessPath!;
        var isHost = Path.GetFileNameWithoutExtension(self) == "dotnet";
        return Start(self, isHost ? [Assembly.GetEntryAssembly()!.Location, .. arguments] : arguments, NoSettings);
    }

    /// <summary>r1.</summary>
    /// <param name="executable">A published one; null for the build beside this assembly.</param>
    /// <param name="settings">For its environment, where a command line would show secrets.</param>
    public static Process StartR1(string? executable, IReadOnlyDictionary<string, string> settings, params string[] arguments) =>
        executable is null
            ? Start("dotnet", [Path.Combine(AppContext.BaseDirectory, "r1.dll"), .. arguments], settings)
            : Start(executable, arguments, settings);

    /// <summary>Waits for the end of a process; gives what it wrote.</summary>
    /// <exception cref="BenchException">It failed; its own message is on the error stream.</exception>
    public static async Task<string> ReadAsync(Process child, CancellationToken cancellation)
    {
        using (child)
        {
            try
            {
                var output = await child.StandardOutput.ReadToEndAsync(cancellation);
                await child.WaitForExitAsync(cancellation);
                if (child.ExitCode == 0) return output;
                throw new BenchException($"{string.Join(' ', child.StartInfo.ArgumentList.Take(3))} ended with {child.ExitCode}.");
            }
            finally
            {
                // Only still there if this was cancelled.
                if (!child.HasExited) child.Kill();
            }
        }
    }

    /// <summary>
    /// Settings in the environment are for the operator's own server: the one that is started here listens on loopback, is asked without a key, and
    /// is told its model and its queue.
    /// </summary>
    public static void Isolate(ProcessStartInfo start)
    {
        foreach (var name in start.Environment.Keys.Where(IsSetting).ToArray()) start.Environment.Remove(name);
    }

    /// <summary>Our own, the web server's addresses, the Functions host's, and where telemetry goes.</summary>
    private static bool IsSetting(string name) =>
        ((string[])["R1_", "ASPNETCORE_", "FUNCTIONS_", "OTEL_", "APPLICATIONINSIGHTS_"])
            .Any(prefix => name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase));

    private static Process Start(string file, IEnumerable<string> arguments, IReadOnlyDictionary<string, string> settings)
    {
        ProcessStartInfo start = new(file, arguments) { RedirectStandardOutput = true, UseShellExecute = false };
        Isolate(start);
        foreach ((var name, var value) in settings) start.Environment[name] = value;
        return Process.Start(start) ?? throw new InvalidOperationException("The process did not start.");
    }
}
