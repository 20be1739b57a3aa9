using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using R1Serverless.Hosting;
using R1Serverless.Requests;
using R1Serverless.Tests.Generation;

namespace R1Serverless.Tests.Hosting;

/// <summary>The product's web server in this process, on a free port, over an engine of the test's.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    public const string Model = "r1-test";
    private readonly WebApplication _app;

    private TestServer(WebApplication app, StringWriter output, StringWriter errors)
    {
        (_app, Output, Errors) = (app, output, errors);
        Client = new HttpClient { BaseAddress = new Uri(app.Services.GetRequiredService<StartupReport>().Addresses.Single()) };
    }

    public HttpClient Client { get; }

    public StringWriter Output { get; }

    public StringWriter Errors { get; }

    public Serving Serving => _app.Services.GetRequiredService<Serving>();

    /// <summary>Starts and waits until ready.</summary>
    public static async Task<TestServer> StartAsync(IInference inference, ServeOptions? options = null, TimeProvider? time = null)
    {
        TestServer server = await StartLoadingAsync((_, _, _) => Task.FromResult(new LoadedModels(inference, [Served()])), options, time);
        while (server.Serving.Phase != ServingPhase.Ready) await Task.Yield();
        return server;
    }

    /// <summary>Starts and leaves the loading to the test.</summary>
    public static async Task<TestServer> StartLoadingAsync(ModelLoader load, ServeOptions? options = null, TimeProvider? time = null)
    {
        (StringWriter output, StringWriter errors) = (new(), new());
        options = (options ?? new()) with { Urls = ["http://127.0.0.1:0"] };
        WebApplication app = ServeHost.Build(options, load, time ?? TimeProvider.System, TextWriter.Synchronized(output), TextWriter.Synchronized(errors));
        await app.StartAsync();
        return new TestServer(app, output, errors);
    }

    /// <summary>fp32, loaded, and a measured int8 on the disk.</summary>
    public static ServedModel Served() => new()
    {
        Id = Model, Created = DateTimeOffset.UnixEpoch, OwnedBy = "r1-serverless", ContextLength = 2048, Device = "cpu",
        Variants = () =>
        [
            new ServedVariant(Precision.Fp32, 3_000_000, null, new VariantLife(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2), 1, 2)),
            new ServedVariant(Precision.Int8, 1_000_000, Measured.On("cpu", drop: 0.25, speed: 2000), null),
        ],
    };

    public Task<HttpResponseMessage> PostAsync(string path, string body) => PostAsync(path, Encoding.UTF8.GetBytes(body));

    public Task<HttpResponseMessage> PostAsync(string path, byte[] body) => Client.SendAsync(Post(path, body), HttpCompletionOption.ResponseHeadersRead);

    public static HttpRequestMessage Post(string path, byte[] body) => new(HttpMethod.Post, path)
    {
        Content = new ByteArrayContent(body) { Headers = { ContentType = new("application/json") } },
    };

    public static string Chat(string more = "") => $$"""{"model":"{{Model}}","messages":[{"role":"user","content":"6 * 7?"}]{{more}}}""";

    public static string Completion(string more = "") => $$"""{"model":"{{Model}}","prompt":"6 * 7 ="{{more}}}""";

    public static async Task<JsonElement> JsonAsync(HttpResponseMessage response) =>
        JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync()).RootElement;

    /// <summary>Asks the host to stop as a signal would; the task ends with it.</summary>
    public Task StopAsync() => _app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.DisposeAsync();
    }
}
