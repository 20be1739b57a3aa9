using R1Serverless.Api.Endpoints;
using R1Serverless.Api.Rpc;
using R1Serverless.Auth;
using R1Serverless.ModelLoading;
using R1Serverless.Monitoring;
using R1Serverless.Serving;
using R1Serverless.Warmup;

namespace R1Serverless.Hosting;

/// <summary>Puts the web server together. Everything that differs between the product and a test is a parameter.</summary>
internal static class ServeHost
{
    // What stopping takes after the answers have drained: closing connections and freeing the models.
    private static readonly TimeSpan StopTime = TimeSpan.FromSeconds(15);

    /// <param name="options">With addresses that <see cref="ListenAddresses.Refusal"/> accepts.</param>
    /// <param name="asWorker">Makes the server the Functions host's worker, which then says where it listens; null for a plain one on the options'
    /// addresses.</param>
    public static WebApplication Build(
        ServeOptions options, ModelLoader load, TimeProvider time, TextWriter output, TextWriter errors,
        Action<WebApplicationBuilder>? asWorker = null)
    {
        // An empty builder reads no settings files or environment, so nothing but the options can open an address.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        // A host that can't start says so in a sentence below; where a service of it fails, that is critical as well.
        builder.Logging.SetMinimumLevel(LogLevel.Warning).AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.Critical);
        if (asWorker is null)
        {
            builder.Logging.AddSimpleConsole(format => format.SingleLine = true);
            builder.Services.Configure<Microsoft.Extensions.Logging.Console.ConsoleLoggerOptions>(
                console => console.LogToStandardErrorThreshold = LogLevel.Trace);
            if (options.GrpcUrls is []) builder.WebHost.UseUrls([.. options.Urls]);
        }

        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            // RequestBytes holds the limit: it can still answer in the API's shape, where Kestrel would cut the connection.
            kestrel.Limits.MaxRequestBodySize = null;
            if (options.GrpcUrls is not []) kestrel.Configure(RpcHost.Endpoints(options));
        });
        if (options.GrpcUrls is not []) builder.Services.AddRpc(options);

        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = options.Grace + StopTime);
        builder.Services
            .AddServing(options, time, output)
            .AddWarmup()
            .AddAuth(
                options.ApiKeys, new AccessRules(options.AreKeysRequired, IsOpenWithout: !options.IsBehindHost), options.Keys, options.Entra,
                services => services.GetRequiredService<StartupReport>())
            .AddApi()
            .AddSingleton(load).AddSingleton<QueueWork>().AddSingleton<RetentionService>().AddSingleton<BatchService>()
            .AddSingleton(services => ActivatorUtilities.CreateInstance<ProcessEnd>(services, errors));
        // The first to start is the last to stop.
        if (options.Monitoring.IsOn)
            builder.Services.AddSingleton<MonitoringStart>().AddHostedService(services => services.GetRequiredService<MonitoringStart>());
        if (options.Role == ServeRole.Gateway) builder.Services.AddHostedService<GatewayOpening>();
        else builder.Services.AddHostedService<ModelLoadingService>();
        if (options.Role != ServeRole.Worker) builder.Services.AddHostedService(services => services.GetRequiredService<RetentionService>());
        builder.Services.AddHostedService(services => services.GetRequiredService<BatchService>()).AddHostedService<TransportWatch>()
            .AddHostedService<GracefulShutdown>();
        asWorker?.Invoke(builder);

        var app = builder.Build();
        app.MapApi();
        if (options.GrpcUrls is not []) app.MapGrpcService<InferenceRpc>().Add(FramedBody.Guard);
        return app;
    }

    /// <summary>Serves until stopped; returns the process's exit code.</summary>
    public static async Task<int> RunAsync(WebApplication app, TextWriter errors)
    {
        try
        {
            await app.StartAsync();
        }
        catch (Exception fault) when (fault is IOException or InvalidOperationException or System.Net.Sockets.SocketException)
        {
            await errors.WriteLineAsync($"r1: cannot listen: {fault.Message}");
            // Models are being loaded: a process that ends meanwhile crashes in ONNX Runtime's library.
            await app.StopAsync();
            await app.DisposeAsync();
            return 1;
        }
        catch (OperationCanceledException) when (app.Lifetime.ApplicationStopping.IsCancellationRequested)
        {
            // Told to stop before the port was open: it ends in the same order as later.
            await app.StopAsync();
        }

        var end = app.Services.GetRequiredService<ProcessEnd>();
        await app.WaitForShutdownAsync();
        // The host stops in good order where a service of it fails, which the log says; whoever restarts this process has to know.
        var hasFailed = app.Services.GetServices<IHostedService>().OfType<BackgroundService>()
            .Any(service => service.ExecuteTask is { IsFaulted: true });
        await app.DisposeAsync();
        return hasFailed ? 1 : end.ExitCode;
    }
}
