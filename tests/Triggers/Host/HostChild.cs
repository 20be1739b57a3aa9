using System.Diagnostics;
using System.Globalization;
using System.Net;

namespace R1Serverless.Tests.Triggers.Host;

/// <summary>
/// The stand-in host for hands and benchmarks: <c>functions-host FOLDER [PORT]</c> serves a published folder until its input ends; <c>functions-host
/// start ROUNDS FOLDER…</c> prints how long each takes from its process's start to the first byte, through the front and as a plain gateway without
/// it, in turn.
/// </summary>
internal static class HostChild
{
    public const string Command = "functions-host";

    public static async Task<int> RunAsync(string[] arguments)
    {
        if (arguments is ["start", var rounds, .. var folders]) return await MeasureAsync(int.Parse(rounds, CultureInfo.InvariantCulture), folders);
        using Data data = new();
        await using var host =
            await StandInHost.StartAsync(Path.GetFullPath(arguments[0]), data.Path, Settings(),
                arguments is [_, var port] ? int.Parse(port, CultureInfo.InvariantCulture) : null);
        foreach (var one in host.Functions) Console.WriteLine($"{one.Name}: {one.Type} {(one.IsHttp ? $"/{one.Route}" : "")}");
        Console.WriteLine($"Listening on {host.Address}");
        await Console.In.ReadToEndAsync();
        await host.StopAsync(TimeSpan.FromSeconds(1));
        Console.WriteLine(host.Output);
        return host.ExitCode;
    }

    private static Dictionary<string, string> Settings() => Environment.GetEnvironmentVariables().Keys.Cast<string>()
        .Where(name => name.StartsWith("R1_", StringComparison.Ordinal) || name.StartsWith("FUNCTIONS_", StringComparison.Ordinal)
        || name.StartsWith("languageWorkers", StringComparison.Ordinal))
        .ToDictionary(name => name, name => Environment.GetEnvironmentVariable(name)!, StringComparer.Ordinal);

    private static async Task<int> MeasureAsync(int rounds, string[] folders)
    {
        Dictionary<string, List<double>> taken = new(StringComparer.Ordinal);
        for (var round = -1; round < rounds; round++)
        {
            foreach (var folder in folders)
            {
                if (File.Exists(Path.Combine(folder, "worker.config.json"))) Note(round, $"{folder} behind the host", await BehindHostAsync(folder));
                Note(round, $"{folder} plain", await PlainAsync(folder));
            }
        }

        foreach ((var way, var all) in taken)
        {
            all.Sort();
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{way}: median {all[all.Count / 2]:0} ms, {all[0]:0} to {all[^1]:0}"));
        }

        return 0;

        void Note(int round, string way, double milliseconds)
        {
            // The first start reads the files from the disk.
            if (round < 0) taken[way] = [];
            else taken[way].Add(milliseconds);
        }
    }

    private static async Task<double> BehindHostAsync(string folder)
    {
        using Data data = new();
        await using var host = await StandInHost.BeginAsync(Path.GetFullPath(folder), data.Path, Settings());
        // Waits at the front for the worker, as at the host.
        using var first = await host.Client.GetAsync("/health/live");
        var taken = (TimeProvider.System.GetUtcNow() - host.StartTime).TotalMilliseconds;
        if (!first.IsSuccessStatusCode) throw new InvalidOperationException(host.Output);
        return taken;
    }

    /// <summary>A gateway that nobody stands before, asked until its port is open.</summary>
    private static async Task<double> PlainAsync(string folder)
    {
        using Data data = new();
        using HttpClient client = new() { BaseAddress = new Uri($"http://127.0.0.1:{QuietPorts.Take()}") };
        ProcessStartInfo start =
            new(Path.Combine(folder, "r1"),
            ["serve", "--role", "gateway", "--data", data.Path, "--urls", client.BaseAddress.OriginalString])
            {
                WorkingDirectory = folder,
                UseShellExecute = false, RedirectStandardOutput = true
            };
        ChildProcess.Isolate(start);
        var began = Stopwatch.GetTimestamp();
        using var process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        try
        {
            while (true)
            {
                try
                {
                    using var first = await client.GetAsync("/health/live");
                    if (first.StatusCode == HttpStatusCode.OK) return Stopwatch.GetElapsedTime(began).TotalMilliseconds;
                }
                catch (HttpRequestException) when (!process.HasExited)
                {
                    await Task.Delay(1);
                }
            }
        }
        finally
        {
            process.Kill();
            await process.WaitForExitAsync();
        }
    }

    /// <summary>What stands for the user's folder; gone with it. Declared first, so that the process that uses it has ended.</summary>
    private sealed class Data : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("r1-host-").FullName;

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
