using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using R1Serverless.Tests.Triggers.Host.Rpc;

namespace R1Serverless.Tests.Triggers.Host;

/// <summary>
/// Does with a published folder what the Azure Functions host does: starts what worker.config.json says, speaks the Functions RPC protocol with it,
/// hands HTTP requests on to it, and invokes its other functions. Written from the protocol's definition and the host's sources; where those leave a
/// choice, the members say what is guessed.
/// </summary>
internal sealed class StandInHost : IAsyncDisposable
{
    private const string MaxMessageBytes = "2147483647";
    private const long UsualBodyBytes = 104_857_600;

    private static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(2);

    private readonly string _folder;
    private readonly WebApplication _host;
    private readonly WorkerConnection _worker;
    private readonly StringBuilder _output = new();
    private readonly Process _process;

    private StandInHost(string folder, WebApplication host, WorkerConnection worker, Process process, int port)
    {
        (_folder, _host, _worker, _process, Address) = (folder, host, worker, process, new Uri($"http://127.0.0.1:{port}"));
        _process.OutputDataReceived += (_, line) => Hear(line.Data);
        _process.ErrorDataReceived += (_, line) => Hear(line.Data);
        Client = new HttpClient { BaseAddress = Address, Timeout = StartLimit };
    }

    public IReadOnlyList<FunctionDefinition> Functions { get; private set; } = [];

    public WorkerConnection Worker => _worker;

    /// <summary>Where clients outside find the app.</summary>
    public Uri Address { get; }

    public HttpClient Client { get; }

    /// <summary>What the worker has said on both of its streams, and through the host.</summary>
    public string Output
    {
        get
        {
            lock (_output) return $"{_output}{string.Join('\n', _worker.Log)}";
        }
    }

    /// <summary>When the worker's process was started.</summary>
    public DateTimeOffset StartTime { get; private set; }

    /// <summary>Of the worker's process, once it has ended.</summary>
    public int ExitCode => _process.ExitCode;

    /// <summary>Starts the worker and waits until it has loaded its functions.</summary>
    /// <param name="folder">As published.</param>
    /// <param name="data">What stands for the user's folder: the worker keeps its own below r1serverless in it.</param>
    /// <param name="settings">The app's.</param>
    public static async Task<StandInHost> StartAsync(string folder, string data, IReadOnlyDictionary<string, string>? settings = null,
        int? port = null)
    {
        var host = await BeginAsync(folder, data, settings, port);
        try
        {
            host.Functions = await host._worker.Loaded.WaitAsync(StartLimit);
            return host;
        }
        catch (Exception fault)
        {
            var said = host.Output;
            await host.DisposeAsync();
            throw new InvalidOperationException($"The worker did not load: {fault.Message}\n{said}", fault);
        }
    }

    /// <summary>The same without waiting: requests wait for the worker, as they do at the host.</summary>
    public static async Task<StandInHost> BeginAsync(string folder, string data, IReadOnlyDictionary<string, string>? settings = null,
        int? port = null)
    {
        settings ??= new Dictionary<string, string>();
        int front = port ?? QuietPorts.Take(), rpc = QuietPorts.Take();
        WorkerConnection worker = new(folder);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.SetMinimumLevel(LogLevel.None);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, front, listen => listen.Protocols = HttpProtocols.Http1);
            kestrel.Listen(IPAddress.Loopback, rpc, listen => listen.Protocols = HttpProtocols.Http2);
            kestrel.Limits.MaxRequestBodySize = settings.TryGetValue("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", out var most)
                ? long.Parse(most, CultureInfo.InvariantCulture) : UsualBodyBytes;
            kestrel.AddServerHeader = false;
            // Data rates are for the network's other end, not for a busy test machine.
            (kestrel.Limits.MinRequestBodyDataRate, kestrel.Limits.MinResponseDataRate) = (null, null);
        });
        builder.Services.AddRoutingCore().AddHttpForwarder().AddSingleton(worker).AddSingleton<HttpFront>();
        builder.Services.AddGrpc(grpc => grpc.MaxReceiveMessageSize = grpc.MaxSendMessageSize = int.MaxValue);
        var app = builder.Build();
        app.UseRouting();
        app.MapGrpcService<WorkerConnection>();
        app.MapFallback((RequestDelegate)app.Services.GetRequiredService<HttpFront>().AnswerAsync);
        await app.StartAsync();
        Process process = new() { StartInfo = StartOf(folder, data, settings, rpc), EnableRaisingEvents = true };
        StandInHost host = new(folder, app, worker, process, front);
        process.Exited += (_, _) => worker.End(new IOException($"The worker ended: {host.Output}"));
        host.StartTime = TimeProvider.System.GetUtcNow();
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return host;
    }

    /// <summary>Asks until the app takes requests.</summary>
    public Task UntilReadyAsync() => Eventually.HoldsAsync(
        async () =>
        {
            using var answer = await Client.GetAsync("/health/ready");
            return answer.IsSuccessStatusCode;
        },
        () => $"the gateway is ready; {Output}");

    /// <summary>Invokes a function that is not HTTP's; null where it went well, else why not.</summary>
    /// <param name="input">What the host binds to its trigger.</param>
    public async Task<string?> InvokeAsync(string function, TypedData input, string? invocation = null)
    {
        var response =
            await _worker.InvokeAsync(Functions.Single(one => one.Name == function && !one.IsHttp), invocation ?? Guid.NewGuid().ToString(), input);
        return response.Result.Status == StatusResult.Types.Status.Success ? null : $"{response.Result.Status}: {response.Result.Exception?.Message}";
    }

    public Task<string?> InvokeAsync(string function, string json, string? invocation = null) =>
        InvokeAsync(function, new TypedData { Json = json }, invocation);

    /// <summary>A message as the storage queue's extension binds it; delivered again while the function fails, and then put aside as host.json says.
    /// The pauses between are left out.</summary>
    /// <returns>How often it was delivered, and whether it was put aside in the end.</returns>
    public async Task<(int Deliveries, bool IsPoison)> DeliverAsync(string function, string id, string text, string? invocation = null)
    {
        using var settings = JsonDocument.Parse(await File.ReadAllBytesAsync(Path.Combine(_folder, "host.json")));
        var most = settings.RootElement.GetProperty("extensions").GetProperty("queues").GetProperty("maxDequeueCount").GetInt32();
        for (var count = 1; count <= most; count++)
        {
            if (await InvokeAsync(function, Message(id, text, count), invocation) is null) return (count, false);
        }

        return (most, true);
    }

    public static TypedData Message(string id, string text, int count) => new()
    {
        ModelBindingData = new ModelBindingData
        {
            Version = "1.0", Source = "AzureStorageQueues", ContentType = "application/json",
            Content = ByteString.CopyFrom(
                JsonSerializer.SerializeToUtf8Bytes(new { MessageId = id, PopReceipt = "receipt", MessageText = text, DequeueCount = count })),
        },
    };

    /// <summary>Ends the worker as the host does when it stops: calls may end within the grace, the rest is cancelled, and then the worker is told to
    /// go.</summary>
    public async Task StopAsync(TimeSpan grace)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (_worker.Running.Count > 0 && TimeProvider.System.GetElapsedTime(began) < grace) await Task.Delay(10);
        foreach (var one in _worker.Running) _worker.Cancel(one);
        await Eventually.HoldsAsync(() => _worker.Running.Count == 0 || _process.HasExited, "cancelled invocations end");
        _worker.Terminate(TimeSpan.FromSeconds(5));
        await _process.WaitForExitAsync().WaitAsync(StartLimit);
    }

    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        if (!_process.HasExited) await KillAsync();
        await _host.DisposeAsync();
        _process.Dispose();
    }

    /// <summary>The command line of the host, from its sources: executable, arguments, worker path, and then where and who the host is.</summary>
    private static ProcessStartInfo StartOf(string folder, string data, IReadOnlyDictionary<string, string> settings, int rpc)
    {
        using var config = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "worker.config.json")));
        var described = config.RootElement.GetProperty("description");
        var executable =
            described.GetProperty("defaultExecutablePath").GetString()!.Replace("{WorkerRoot}", folder + Path.DirectorySeparatorChar,
                StringComparison.Ordinal);
        ProcessStartInfo start =
            new(executable) { WorkingDirectory = folder, UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        if (described.TryGetProperty("arguments", out var arguments))
            foreach (var one in arguments.EnumerateArray()) start.ArgumentList.Add(one.GetString()!);
        if (settings.TryGetValue("languageWorkers__dotnet-isolated__arguments", out var more))
            foreach (var one in more.Split(' ', StringSplitOptions.RemoveEmptyEntries)) start.ArgumentList.Add(one);
        if (described.TryGetProperty("defaultWorkerPath", out var path)) start.ArgumentList.Add(Path.Combine(folder, path.GetString()!));
        string worker = Guid.NewGuid().ToString(), request = Guid.NewGuid().ToString(), port = rpc.ToString(CultureInfo.InvariantCulture);
        string[] own =
        [
            "--host", "127.0.0.1", "--port", port, "--workerId", worker, "--requestId", request, "--grpcMaxMessageLength", MaxMessageBytes,
            "--functions-uri", $"http://127.0.0.1:{port}/", "--functions-worker-id", worker, "--functions-request-id", request,
                "--functions-grpc-max-message-length", MaxMessageBytes,
        ];
        foreach (var one in own) start.ArgumentList.Add(one);
        ChildProcess.Isolate(start);
        start.Environment["FUNCTIONS_WORKER_RUNTIME"] = "dotnet-isolated";
        start.Environment["FUNCTIONS_APPLICATION_DIRECTORY"] = folder;
        start.Environment["FUNCTIONS_WORKER_DIRECTORY"] = folder;
        // The host's own, which it hands down with all the rest; taken, it would be an address that needs a key.
        start.Environment["ASPNETCORE_URLS"] = "http://+:8080";
        start.Environment["XDG_DATA_HOME"] = data;
        foreach ((var name, var value) in settings) start.Environment[name] = value;
        return start;
    }

    private void Hear(string? line)
    {
        if (line is null) return;
        lock (_output) _output.AppendLine(line);
    }
}
