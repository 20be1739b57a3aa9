using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Text.Json;

namespace R1Serverless.Bench;

/// <summary>This very executable, started again with other arguments: the server, or the client that loads it.</summary>
internal static class ChildProcess
{
    /// <summary>Runs a load from a client process against a server.</summary>
    /// <exception cref="BenchException">The client failed; its own message is on the error stream.</exception>
    public static async Task<LoadResult> RunClientAsync(Uri server, string model, LoadShape shape, CancellationToken cancellation)
    {
        using var client = Start(
            "bench-client", "--url", server.ToString(), "--model", model, "--clients", Text(shape.Clients), "--prompt", Text(shape.PromptTokens),
            "--outputs", string.Join(',', shape.OutputTokens));
        try
        {
            var output = await client.StandardOutput.ReadToEndAsync(cancellation);
            await client.WaitForExitAsync(cancellation);
            if (client.ExitCode != 0) throw new BenchException($"The client process ended with {client.ExitCode}.");
            return JsonSerializer.Deserialize(output, BenchJson.Default.LoadResult)!;
        }
        finally
        {
            // Only still there if this was cancelled.
            if (!client.HasExited) client.Kill();
        }
    }

    public static Process Start(params string[] arguments)
    {
        var self = Environment.ProcessPath!;
        var isHost = Path.GetFileNameWithoutExtension(self) == "dotnet";
        var start = new ProcessStartInfo(self, isHost ? [Assembly.GetEntryAssembly()!.Location, .. arguments] : arguments) { RedirectStandardOutput = true, UseShellExecute = false };
        // A key in the environment is for the operator's own server; the bench's listens on loopback and is asked without one.
        start.Environment.Remove("R1_API_KEY");
        return Process.Start(start) ?? throw new InvalidOperationException("The process did not start.");
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
