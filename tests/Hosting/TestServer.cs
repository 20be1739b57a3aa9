using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using R1Serverless.Abstractions;
using R1Serverless.Hosting;
using R1Serverless.ModelLoading;
using R1Serverless.Serving;

namespace R1Serverless.Tests.Hosting;

/// <summary>The product's web server in this process, on a free port, over an engine of the test's.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    public const string Model = "r1-test";
    private readonly WebApplication _app;
    private readonly string _data;
    private readonly TestServer? _worker;

    private TestServer(WebApplication app, string data, TestServer? worker, HeardOutput output, HeardOutput errors)
    {
        (_app, _data, _worker, Output, Errors) = (app, data, worker, output, errors);
        var addresses = app.Services.GetRequiredService<StartupReport>().Addresses;
        Client = new HttpClient { BaseAddress = new Uri(addresses.First()) };
        RpcAddress = addresses.Last();
    }

    public HttpClient Client { get; }

    /// <summary>Where gRPC is spoken, with <see cref="ServeOptions.GrpcUrls"/> only.</summary>
    public string RpcAddress { get; }

    public HeardOutput Output { get; }

    public HeardOutput Errors { get; }

    /// <summary>What the server is made of.</summary>
    public IServiceProvider Services => _app.Services;

    /// <summary>Where the server keeps what it must not forget.</summary>
    public string DataFolder => _data;

    /// <summary>Once it is ready.</summary>
    public TransportRuntime Queue => Services.GetRequiredService<QueueConnection>().Queue!;

    public ServingState Serving => _app.Services.GetRequiredService<ServingState>();

    /// <summary>Starts and waits until ready.</summary>
    public static async Task<TestServer> StartAsync(IInference inference, ServeOptions? options = null, TimeProvider? time = null)
    {
        var server =
            await StartLoadingAsync((_, _, _) => Task.FromResult(new LoadedModels(inference, () => [Served()], () => default)), options, time);
        await server.UntilAsync(ServingPhase.Ready);
        return server;
    }

    /// <summary>Starts a gateway, and the engine behind a queue in a worker of its own; waits until they know each other.</summary>
    public static async Task<TestServer> StartApartAsync(IInference inference, ServeOptions? options = null)
    {
        ModelLoader load = (_, _, _) => Task.FromResult(new LoadedModels(inference, () => [Served()], () => default));
        var worker = await StartLoadingAsync(load, new ServeOptions { Role = ServeRole.Worker });
        var connection = worker._app.Services.GetRequiredService<QueueConnection>();
        await Eventually.HoldsAsync(
            async () => connection.Queue is { } queue && (await queue.Registrations.ListAsync(CancellationToken.None)).Count > 0,
            () => $"the worker's registration; {worker.Errors}");
        var gateway = await StartInAsync(worker._data, worker, load, (options ?? new()) with { Role = ServeRole.Gateway });
        await gateway.UntilAsync(ServingPhase.Ready);
        return gateway;
    }

    /// <summary>Starts a gateway that nobody works for yet.</summary>
    public static async Task<TestServer> StartGatewayAsync(ServeOptions? options = null)
    {
        ModelLoader none = (_, _, _) => throw new InvalidOperationException("A gateway loads no model.");
        var gateway = await StartLoadingAsync(none, (options ?? new()) with { Role = ServeRole.Gateway });
        await gateway.UntilAsync(ServingPhase.Ready);
        return gateway;
    }

    /// <summary>Starts a worker for this gateway; the gateway ends with it.</summary>
    public async Task<TestServer> WithWorkerAsync(IInference inference)
    {
        var worker = await StartInAsync(
            _data, this, (_, _, _) => Task.FromResult(new LoadedModels(inference, () => [Served()], () => default)),
            new ServeOptions { Role = ServeRole.Worker });
        await worker.UntilAsync(ServingPhase.Ready);
        return worker;
    }

    /// <summary>Starts another server over this one's data folder, with a model of its own; this one ends with it.</summary>
    public async Task<TestServer> WithNeighbourAsync(IInference inference, string model)
    {
        LoadedModels loaded = new(inference, () => [Served() with { Id = model }], () => default);
        var neighbour = await StartInAsync(_data, this, (_, _, _) => Task.FromResult(loaded), options: null);
        await neighbour.UntilAsync(ServingPhase.Ready);
        return neighbour;
    }

    /// <summary>Starts and leaves the loading to the test.</summary>
    /// <param name="data">Null for a new folder; it goes with the server.</param>
    public static Task<TestServer> StartLoadingAsync(ModelLoader load, ServeOptions? options = null, TimeProvider? time = null,
        string? data = null) =>
        StartInAsync(data ?? Directory.CreateTempSubdirectory("r1-server-").FullName, null, load, options, time);

    private static async Task<TestServer> StartInAsync(string data, TestServer? worker, ModelLoader load, ServeOptions? options,
        TimeProvider? time = null)
    {
        (HeardOutput output, HeardOutput errors) = (new(), new());
        options = (options ?? new()) with { Urls = ["http://127.0.0.1:0"], Transport = new TransportOptions { DataFolder = data } };
        var app = ServeHost.Build(options, load, time ?? TimeProvider.System, output, errors);
        await app.StartAsync();
        return new TestServer(app, data, worker, output, errors);
    }

    /// <summary>fp32, loaded, and a measured int8 on the disk.</summary>
    public static ServedModel Served() => new()
    {
        Id = Model, Created = DateTimeOffset.UnixEpoch, OwnedBy = "r1-serverless", ContextLength = 2048, Device = "cpu",
        Variants =
        [
            new ServedVariant(Precision.Fp32, 3_000_000, null, new VariantLife(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2), 1, 2)),
            new ServedVariant(Precision.Int8, 1_000_000, new MeasuredVariant(0.9, 0.25, true, new Dictionary<int, double> { [8] = 2000 }), null),
        ],
    };

    public Task<HttpResponseMessage> PostAsync(string path, string body) => PostAsync(path, Encoding.UTF8.GetBytes(body));

    public Task<HttpResponseMessage> PostAsync(string path, byte[] body) =>
        Client.SendAsync(Post(path, body), HttpCompletionOption.ResponseHeadersRead);

    public static HttpRequestMessage Post(string path, byte[] body) => new(HttpMethod.Post, path)
    {
        Content = new ByteArrayContent(body) { Headers = { ContentType = new("application/json") } },
    };

    public static string Chat(string more = "") => $$"""{"model":"{{Model}}","messages":[{"role":"user","content":"6 * 7?"}]{{more}}}""";

    public static string Completion(string more = "") => $$"""{"model":"{{Model}}","prompt":"6 * 7 ="{{more}}}""";

    public static async Task<JsonElement> JsonAsync(HttpResponseMessage response) =>
        JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync()).RootElement;

    public Task UntilAsync(ServingPhase phase) =>
        Eventually.HoldsAsync(() => Serving.Phase == phase, () => $"the phase {phase}; it is {Serving.Phase}, and {Output}{Errors}");

    public Task UntilSaidAsync(string text) =>
        Eventually.HoldsAsync(() => Output.ToString().Contains(text, StringComparison.Ordinal), () => $"'{text}'; {Output}{Errors}");

    /// <summary>Until the process has decided to end.</summary>
    public Task UntilStoppingAsync() => Eventually.HoldsAsync(
        () => Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.IsCancellationRequested,
        () => $"the process's end; {Output}{Errors}");

    /// <summary>Asks the host to stop as a signal would; the task ends with it.</summary>
    public Task StopAsync() => _app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.DisposeAsync();
        if (_worker is not null) await _worker.DisposeAsync();
        else await DeleteAsync(_data);
    }

    /// <summary>Work that was only told to end may still write its last file.</summary>
    private static async Task DeleteAsync(string folder)
    {
        for (var left = 100; ; left--)
        {
            try
            {
                Directory.Delete(folder, recursive: true);
                return;
            }
            catch (IOException) when (left > 0)
            {
                await Task.Delay(50);
            }
        }
    }
}
