using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Bench;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Prepared;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>Starts fresh processes that serve one variant, and asks each for its timeline, its first answer and some more.</summary>
/// <param name="executable">A published r1.</param>
/// <param name="device">cpu or cuda.</param>
/// <param name="progress">Told what is being measured.</param>
internal sealed class ColdStartBench(string executable, string device, ModelFolder model, ModelVariant variant, int rounds, Action<string> progress)
{
    private const int LaterRequests = 15, RestedRequests = 7;

    /// <summary>Keys and values of these few short answers; the model's own memory is what is measured.</summary>
    private const string KeyValueMemory = "256MB";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    /// <summary>In the start that is not counted: the asking code is compiled anew while it is young, and that is not what is measured.</summary>
    private static readonly TimeSpan Practice = TimeSpan.FromSeconds(1);

    /// <summary>Before each of the requests that come after one.</summary>
    public static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(100);

    /// <summary>The way's medians. What was to be prepared is.</summary>
    public async Task<ColdStartRow> MeasureAsync(ColdStartWay way, CancellationToken cancellation)
    {
        var state = PreparedFolder.Detect(model, variant, new RuntimeOptions { Device = DeviceKind.Cpu });
        if (way.Prepared && state.Path is null)
            throw new BenchException($"{model.Name} is not prepared for this machine: {state.Refusal ?? "nothing is there"}.");
        var files = ColdStartFiles.Of(model, variant, way.Prepared ? (state.Path!, state.Manifest!) : null);
        List<ColdStartSample> samples = [];
        // Once more, not counted: what is warm then is what every later round finds.
        for (var round = -1; round < rounds; round++)
        {
            progress($"{model.Name}, {Name(way)}: {(round < 0 ? "a start that is not counted" : $"start {round + 1} of {rounds}")}");
            if (way.Cold) Drop(files);
            var read = files.Files.Sum(file => PageCache.Read(file.Path, file.Bytes));
            if (way.Cold) Drop(files);
            var sample = await StartAsync(way, read, round < 0 ? Practice : TimeSpan.Zero, cancellation);
            if (round >= 0) samples.Add(sample);
        }

        return ColdStartRow.Of(model.Name, way, files.Bytes, samples);
    }

    public static string Name(ColdStartWay way) =>
        $"{(way.Prepared ? "prepared" : "plain")}, {(way.WarmedUp ? "warmed up" : "not warmed up")}, {(way.Cold ? "cold" : "warm")}";

    private static void Drop(ColdStartFiles files)
    {
        foreach ((var path, _) in files.Files) PageCache.Drop(path);
    }

    /// <param name="practice">For how long the process is asked some more.</param>
    private async Task<ColdStartSample> StartAsync(ColdStartWay way, double read, TimeSpan practice, CancellationToken cancellation)
    {
        var data = Directory.CreateTempSubdirectory("r1-start-").FullName;
        IPEndPoint address = new(IPAddress.Loopback, FreePort());
        List<string> arguments =
        [
            "serve", "--urls", $"http://{address}", "--data", data, "--model", model.Path, "--load",
                $"{model.Name}:{PrecisionName.Of(variant.Precision)}", "--precision", PrecisionName.Of(variant.Precision),
            "--device", device, "--kv-memory", KeyValueMemory,
        ];
        if (!way.Prepared) arguments.Add("--no-prepared");
        if (!way.WarmedUp) arguments.Add("--no-warmup");
        using var server = ChildProcess.StartR1(executable, ChildProcess.NoSettings, [.. arguments]);
        try
        {
            await UntilReadyAsync(server, cancellation);
            var first = await AskAsync(address, cancellation);
            List<double> later = [];
            for (var i = 0; i < LaterRequests; i++) later.Add(await AskAsync(address, cancellation));
            for (var began = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(began) < practice;) await AskAsync(address, cancellation);
            List<double> rested = [];
            for (var i = 0; i < RestedRequests; i++)
            {
                await Task.Delay(Rest, TimeProvider.System, cancellation);
                rested.Add(await AskAsync(address, cancellation));
            }

            return new ColdStartSample(await PhasesAsync(address, cancellation), read, first, ColdStartRow.MedianOf(later),
                ColdStartRow.MedianOf(rested), Peak(server));
        }
        finally
        {
            if (!server.HasExited) server.Kill();
            await server.WaitForExitAsync(CancellationToken.None);
            Directory.Delete(data, recursive: true);
        }
    }

    private static async Task UntilReadyAsync(Process server, CancellationToken cancellation)
    {
        TaskCompletionSource ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
        // Read to its end, so that the pipe never fills.
        server.OutputDataReceived += (_, line) =>
        {
            if (line.Data is null)
                ready.TrySetException(new BenchException("The server ended before it was ready; its own message is on the error stream."));
            else if (line.Data.StartsWith("Ready", StringComparison.Ordinal)) ready.TrySetResult();
        };
        server.BeginOutputReadLine();
        await ready.Task.WaitAsync(Patience, cancellation);
    }

    /// <summary>A streamed answer over a connection of its own: milliseconds to its end. Its first event says nothing of the model.</summary>
    private async Task<double> AskAsync(IPEndPoint address, CancellationToken cancellation)
    {
        var body = $"{{\"model\":\"{model.Name}\",\"messages\":[{{\"role\":\"user\",\"content\":\"What is 27 + "
            + "15?\"}],\"temperature\":0,\"max_tokens\":4,\"ignore_eos\":true,\"stream\":true}";
        return await HttpAsync(address, "POST /v1/chat/completions", body, "[DONE]", cancellation) is var (elapsed, answer)
            && answer.Contains(" 200 ", StringComparison.Ordinal)
            ? elapsed
            : throw new BenchException($"A request failed: {answer}");
    }

    private static async Task<IReadOnlyDictionary<string, double>> PhasesAsync(IPEndPoint address, CancellationToken cancellation)
    {
        (_, var answer) = await HttpAsync(address, "GET /health/ready", "", "}", cancellation);
        using var health = JsonDocument.Parse(answer[answer.IndexOf('{', StringComparison.Ordinal)..(answer.LastIndexOf('}') + 1)]);
        return health.RootElement.GetProperty("startup").EnumerateObject()
            .ToDictionary(phase => phase.Name, phase => phase.Value.GetDouble(), StringComparer.Ordinal);
    }

    /// <summary>Milliseconds until <paramref name="mark"/> had come, and all that came.</summary>
    private static async Task<(double Elapsed, string Answer)> HttpAsync(IPEndPoint address, string ask, string body, string mark,
        CancellationToken cancellation)
    {
        var request = Encoding.UTF8.GetBytes(
            $"{ask} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: "
            + $"{Encoding.UTF8.GetByteCount(body).ToString(CultureInfo.InvariantCulture)}\r\nConnection: close\r\n\r\n{body}");
        var buffer = new byte[8192];
        StringBuilder answer = new();
        double elapsed = 0;
        var began = Stopwatch.GetTimestamp();
        using Socket socket = new(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(address, cancellation);
        await socket.SendAsync(request, cancellation);
        while (await socket.ReceiveAsync(buffer, cancellation) is > 0 and var count)
        {
            answer.Append(Encoding.UTF8.GetString(buffer, 0, count));
            if (elapsed == 0 && answer.ToString().Contains(mark, StringComparison.Ordinal))
                elapsed = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
        }

        return (elapsed, answer.ToString());
    }

    private static long Peak(Process server)
    {
        server.Refresh();
        return server.PeakWorkingSet64;
    }

    private static int FreePort()
    {
        using TcpListener probe = new(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }
}
