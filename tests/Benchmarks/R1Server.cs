using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using R1Serverless.Bench;
using R1Serverless.Engine.Devices;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>`r1 serve` in a process of its own, on a free port, ready to answer.</summary>
internal sealed class R1Server : IAsyncDisposable
{
    /// <summary>A line for each generation.</summary>
    private const string HeapMetric = "dotnet_gc_last_collection_heap_size_bytes{";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private readonly Process _process;
    private readonly string _data;

    private R1Server(Process process, string data, Uri address) => (_process, _data, Address) = (process, data, address);

    public Uri Address { get; }

    /// <summary>Resident memory now, in bytes.</summary>
    public long Memory
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
    }

    /// <summary>The managed heap as its last collection left it, in bytes. Only of a server with <c>--metrics</c>.</summary>
    /// <param name="client">Of <see cref="Address"/>.</param>
    /// <exception cref="HttpRequestException">It has no page of metrics.</exception>
    public static async Task<long> HeapAsync(HttpClient client, CancellationToken cancellation)
    {
        var page = await client.GetStringAsync(new Uri("metrics", UriKind.Relative), cancellation);
        return page.Split('\n').Where(line => line.StartsWith(HeapMetric, StringComparison.Ordinal))
            .Sum(line => long.Parse(line.Split(' ')[1], CultureInfo.InvariantCulture));
    }

    /// <param name="executable">A published r1; null for the build beside this assembly.</param>
    /// <exception cref="TimeoutException">It was not ready in time.</exception>
    /// <exception cref="BenchException">It ended; its own messages are on the error stream.</exception>
    public static Task<R1Server> StartAsync(string? executable, string modelFolder, DeviceKind device, TimeProvider time,
        CancellationToken cancellation) =>
        StartAsync(executable, ["--model", modelFolder, "--device", device.ToString().ToLowerInvariant()], ChildProcess.NoSettings, time,
            cancellation);

    /// <summary>The same with other arguments; without <c>--data</c> among them, its data folder goes with it.</summary>
    public static async Task<R1Server> StartAsync(
        string? executable, string[] arguments, IReadOnlyDictionary<string, string> settings, TimeProvider time, CancellationToken cancellation)
    {
        var address = new Uri($"http://127.0.0.1:{FreePort()}/");
        // A queue of its own: what waits in the user's is not what is measured.
        var data = Directory.CreateTempSubdirectory("r1-bench-").FullName;
        string[] own = arguments.Contains("--data") ? [] : ["--data", data];
        var process = ChildProcess.StartR1(executable, settings, ["serve", "--urls", address.ToString(), .. own, .. arguments]);
        // Read, so that the pipe never fills; not shown, the tables are this process's output.
        process.OutputDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        var server = new R1Server(process, data, address);
        try
        {
            await server.BecomeReadyAsync(time, cancellation);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        Directory.Delete(_data, recursive: true);
    }

    private async Task BecomeReadyAsync(TimeProvider time, CancellationToken cancellation)
    {
        using var client = new HttpClient { BaseAddress = Address };
        var began = time.GetTimestamp();
        while (!await IsReadyAsync(client, cancellation))
        {
            if (_process.HasExited) throw new BenchException($"The server ended with {_process.ExitCode} before it was ready.");
            if (time.GetElapsedTime(began) > Patience)
                throw new TimeoutException($"The server was not ready after {Patience.TotalMinutes:0} minutes.");
            await Task.Delay(TimeSpan.FromMilliseconds(50), time, cancellation);
        }
    }

    private static async Task<bool> IsReadyAsync(HttpClient client, CancellationToken cancellation)
    {
        try
        {
            using var answer = await client.GetAsync(new Uri("health/ready", UriKind.Relative), cancellation);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
