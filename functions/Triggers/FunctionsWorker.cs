using System.Net;
using System.Net.Sockets;
using Microsoft.Azure.Functions.Worker.Core.FunctionMetadata;
using Microsoft.Azure.Functions.Worker.Invocation;
using Microsoft.Azure.Functions.Worker.OpenTelemetry;
using OpenTelemetry;
using R1Serverless.Hosting;
using R1Serverless.ModelLoading;
using R1Serverless.Serving;

namespace R1Serverless.Triggers;

/// <summary>
/// The server of <see cref="ServeHost"/> as the isolated worker of the Azure Functions host. The host invokes a function for each request and hands
/// the request itself on to the address that the worker names (the capability <c>HttpUri</c>, as Microsoft's ASP.NET extension does): here the server
/// itself, so that there is one pipeline.
/// docs/functions.md says why not that extension.
/// The SDK has services of its own and connects to the host while the server is still put together: measured, that is where a start behind the host
/// loses its time.
/// </summary>
internal sealed class FunctionsWorker
{
    private const string AddressCapability = "HttpUri";

    private readonly ServiceProvider _services;
    private readonly ServerServices _server = new();

    // Open from the start: what the host hands on before the server runs waits in the socket's queue.
    private readonly Socket _listening = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly Task _connecting;

    private FunctionsWorker(FunctionsHost host)
    {
        _listening.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listening.Listen();
        var address = $"http://127.0.0.1:{((IPEndPoint)_listening.LocalEndPoint!).Port}/";
        ServiceCollection services = new();
        services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Warning));
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection(host.Settings).Build());
        services.AddSingleton(_server).AddSingleton<IHostApplicationLifetime>(_server);
        services.AddFunctionsWorkerDefaults(worker => worker.Capabilities[AddressCapability] = address).UseDefaultWorkerMiddleware();
        services.AddSingleton<IFunctionMetadataProvider, GeneratedFunctionMetadataProvider>()
            .AddSingleton<IFunctionExecutor, DirectFunctionExecutor>();
        // Tells the host that the worker sends its telemetry itself; Exporters does, once the port is open.
        var monitoring = MonitoringOptions.Read(Environment.GetEnvironmentVariable, hasPage: false);
        if (monitoring.IsOn) new TelemetryServices(services).UseFunctionsWorkerDefaults();
        _services = services.BuildServiceProvider();
        _connecting = ConnectAsync();
    }

    public static FunctionsWorker Start(FunctionsHost host) => new(host);

    /// <summary>The server that the host's requests and functions find.</summary>
    public WebApplication Build(ServeOptions options, ModelLoader load, TimeProvider time, TextWriter output, TextWriter errors)
    {
        var app = ServeHost.Build(options, load, time, output, errors, builder =>
        {
            builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenHandle((ulong)_listening.Handle));
            foreach (var provider in _services.GetServices<ILoggerProvider>()) builder.Logging.AddProvider(provider);
            builder.Services.AddSingleton<JobIntake>().AddHostedService(_ => new Connected(_connecting));
        });
        _server.Set(app.Services);
        return app;
    }

    private async Task ConnectAsync()
    {
        // Beside the caller.
        await Task.Yield();
        foreach (var service in _services.GetServices<IHostedService>()) await service.StartAsync(CancellationToken.None);
    }

    /// <summary>A host that can't be reached ends the process, as another service that fails.</summary>
    private sealed class Connected(Task connecting) : BackgroundService
    {
        protected override Task ExecuteAsync(CancellationToken stoppingToken) => connecting.WaitAsync(stoppingToken);
    }

    private sealed record TelemetryServices(IServiceCollection Services) : IOpenTelemetryBuilder;
}
