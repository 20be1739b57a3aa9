using System.Net;
using System.Net.Sockets;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.OpenTelemetry;
using OpenTelemetry;
using R1Serverless.Hosting;

namespace R1Serverless.Triggers;

/// <summary>
/// The server of <see cref="ServeHost"/> as the isolated worker of the Azure Functions host. The host invokes a function for each request and hands the request itself on to the address that the worker
/// names (the capability <c>HttpUri</c>, as Microsoft's ASP.NET extension does): here the server itself, so that there is one pipeline. docs/functions.md says why not that extension.
/// </summary>
internal static class FunctionsApp
{
    private const string AddressCapability = "HttpUri";

    /// <param name="host">Where the host is, and what it calls this worker.</param>
    public static WebApplication Build(ServeOptions options, FunctionsHost host, ModelLoader load, TimeProvider time, TextWriter output, TextWriter errors)
    {
        // Open from here on: what the host hands on before the server runs waits in the socket's queue.
        Socket listening = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listening.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listening.Listen();
        return ServeHost.Build(options, load, time, output, errors, builder =>
        {
            builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenHandle((ulong)listening.Handle));
            builder.Services.AddSingleton(listening).AddSingleton<JobIntake>();
            builder.Configuration.AddInMemoryCollection(host.Settings);
            builder.Services.AddFunctionsWorkerDefaults(worker => worker.Capabilities[AddressCapability] = $"http://127.0.0.1:{((IPEndPoint)listening.LocalEndPoint!).Port}/").UseDefaultWorkerMiddleware();
            // Tells the host that the worker sends its telemetry itself; Exporters does, once the port is open.
            if (options.Monitoring.IsOn) new TelemetryServices(builder.Services).UseFunctionsWorkerDefaults();
            builder.Host.ConfigureGeneratedFunctionExecutor().ConfigureGeneratedFunctionMetadataProvider();
            ConnectBeside(builder.Services);
        });
    }

    /// <summary>The SDK's service that connects to the host starts beside the web server instead of before it: measured, the first byte comes the sooner the more of both runs at once.</summary>
    private static void ConnectBeside(IServiceCollection services)
    {
        ServiceDescriptor connecting = services.Single(one => one.ServiceType == typeof(IHostedService) && one.ImplementationType?.Assembly == typeof(WorkerOptions).Assembly);
        services.Remove(connecting);
        services.AddHostedService(provider => new Connecting((IHostedService)ActivatorUtilities.CreateInstance(provider, connecting.ImplementationType!)));
    }

    private sealed class Connecting(IHostedService worker) : BackgroundService
    {
        protected override Task ExecuteAsync(CancellationToken stoppingToken) => worker.StartAsync(stoppingToken);
    }

    private sealed record TelemetryServices(IServiceCollection Services) : IOpenTelemetryBuilder;
}
