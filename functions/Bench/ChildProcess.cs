using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Text.Json;

namespace R1Serverless.Bench;

/// <summary>This very executable, started again with other arguments: the server, the client that loads it, or whatever must be measured alone.</summary>
internal static class ChildProcess
{
    public static IReadOnlyDictionary<string, string> NoSettings { get; } = new Dictionary<string, string>();

    /// <summary>Runs a load from a client process against a server.</summary>
    /// <exception cref="BenchException">The client failed; its own message is on the error stream.</exception>
    public static async Task<LoadResult> RunClientAsync(Uri server, string model, LoadShape shape, CancellationToken cancellation)
    {
        var output = await ReadAsync(
            cancellation,
            "bench-client", "--url", server.ToString(), "--model", model, "--clients", Text(shape.Clients), "--prompt", Text(shape.PromptTokens),
            "--outputs", string.Join(',', shape.OutputTokens));
        return JsonSerializer.Deserialize(output, BenchJson.Default.LoadResult)!;
    }

    /// <summary>Runs a command to its end; gives what it wrote.</summary>
    /// <exception cref="BenchException">It failed; its own message is on the error stream.</exception>
    public static async Task<string> ReadAsync(CancellationToken cancellation, params string[] arguments)
    {
        using var child = Start(arguments);
        try
        {
            var output = await child.StandardOutput.ReadToEndAsync(cancellation);
            await child.WaitForExitAsync(cancellation);
            return child.ExitCode == 0 ? output : throw new BenchException($"The process for {arguments[0]} ended with {child.ExitCode}.");
        }
        finally
        {
            // Only still there if this was cancelled.
            if (!child.HasExited) child.Kill();
        }
    }

    /// <summary>The most resident memory this process ever held, in bytes.</summary>
    public static long OwnPeak()
    {
        using var self = Process.GetCurrentProcess();
        return self.PeakWorkingSet64;
    }

    public static Process Start(params string[] arguments) => Start(NoSettings, arguments);

    /// <param name="settings">For its environment, where a command line would show secrets.</param>
    public static Process Start(IReadOnlyDictionary<string, string> settings, string[] arguments)
    {
        var self = Environment.ProcessPath!;
        var isHost = Path.GetFileNameWithoutExtension(self) == "dotnet";
        var start = new ProcessStartInfo(self, isHost ? [Assembly.GetEntryAssembly()!.Location, .. arguments] : arguments) { RedirectStandardOutput = true, UseShellExecute = false };
        Isolate(start);
        foreach ((string name, string value) in settings) start.Environment[name] = value;
        return Process.Start(start) ?? throw new InvalidOperationException("The process did not start.");
    }

    /// <summary>Settings in the environment are for the operator's own server: the bench's listens on loopback, is asked without a key, and is told its model and its queue.</summary>
    public static void Isolate(ProcessStartInfo start)
    {
        foreach (var name in start.Environment.Keys.Where(IsSetting).ToArray()) start.Environment.Remove(name);
    }

    /// <summary>Our own, the web server's addresses, the Functions host's, and where telemetry goes.</summary>
    private static bool IsSetting(string name) =>
        ((string[])["R1_", "ASPNETCORE_", "FUNCTIONS_", "OTEL_", "APPLICATIONINSIGHTS_"]).Any(prefix => name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase));

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
