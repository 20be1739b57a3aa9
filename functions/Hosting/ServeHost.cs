using R1Serverless.Access;
using R1Serverless.Batches;
using R1Serverless.Endpoints;

namespace R1Serverless.Hosting;

/// <summary>Puts the web server together. Everything that differs between the product and a test is a parameter.</summary>
internal static class ServeHost
{
    // What stopping takes after the answers have drained: closing connections and freeing the models.
    private static readonly TimeSpan StopTime = TimeSpan.FromSeconds(15);

    /// <param name="options">With addresses that <see cref="ListenAddresses.Refusal"/> accepts.</param>
    /// <param name="asWorker">Makes the server the Functions host's worker, which then says where it listens; null for a plain one on the options' addresses.</param>
    public static WebApplication Build(
        ServeOptions options, ModelLoader load, TimeProvider time, TextWriter output, TextWriter errors, Action<WebApplicationBuilder>? asWorker = null)
    {
        StartupTimeline timeline = new(time);
        // An empty builder reads no settings files or environment, so nothing but the options can open an address.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        // A host that can't start says so in a sentence below; where a service of it fails, that is critical as well.
        builder.Logging.SetMinimumLevel(LogLevel.Warning).AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.Critical);
        if (asWorker is null)
        {
            builder.Logging.AddSimpleConsole(format => format.SingleLine = true);
            builder.Services.Configure<Microsoft.Extensions.Logging.Console.ConsoleLoggerOptions>(
                console => console.LogToStandardErrorThreshold = LogLevel.Trace);
            builder.WebHost.UseUrls([.. options.Urls]);
        }

        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            // RequestBytes holds the limit: it can still answer in the API's shape, where Kestrel would cut the connection.
            kestrel.Limits.MaxRequestBodySize = null;
        });

        builder.Services.AddRoutingCore();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = options.Grace + StopTime);
        builder.Services
            .AddSingleton(options).AddSingleton(time).AddSingleton(load).AddSingleton<Serving>()
            .AddSingleton(timeline).AddSingleton(services => new FirstToken(timeline, services.GetRequiredService<StartupReport>(), time)).AddSingleton<PrewarmPass>().AddSingleton<EndpointPrewarm>()
            .AddSingleton(new CurrentKeys(options.ApiKeys, options.Keys is not null)).AddSingleton(new AccessRules(options.AreKeysRequired, IsOpenWithout: !options.IsBehindHost))
            .AddSingleton<Doorkeeper>().AddSingleton<RateLimits>().AddSingleton<TokenMeter>()
            .AddSingleton(services => ActivatorUtilities.CreateInstance<StartupReport>(services, output))
            .AddSingleton(services => ActivatorUtilities.CreateInstance<ProcessEnd>(services, errors))
            .AddSingleton<EventStream>().AddSingleton<CompletionEndpoints>().AddSingleton<QueueConnection>().AddSingleton<QueueWork>()
            .AddSingleton(new BatchLimits { LineBytes = options.MaxBodyBytes })
            .AddSingleton<BulkStore>().AddSingleton<FileUpload>().AddSingleton<FileEndpoints>().AddSingleton<BatchEndpoints>()
            .AddSingleton<CallerLimits>().AddSingleton<QueuedLimit>().AddSingleton<Admission>().AddSingleton<RequestDoor>().AddSingleton<QueueAdmin>()
            .AddSingleton<RequestUpkeep>().AddSingleton<BulkWork>();
        if (options.Entra is { } entra) builder.Services.AddSingleton(services => ActivatorUtilities.CreateInstance<EntraTokens>(services, entra));
        if (options.Keys is { } source)
        {
            builder.Services.AddHostedService(services => ActivatorUtilities.CreateInstance<KeyRefresh>(services, source, services.GetRequiredService<StartupReport>()));
        }

        // The first to start is the last to stop.
        if (options.Monitoring.IsOn) builder.Services.AddSingleton<MonitoringStart>().AddHostedService(services => services.GetRequiredService<MonitoringStart>());
        if (options.Role == ServeRole.Gateway) builder.Services.AddHostedService<GatewayOpening>();
        else builder.Services.AddHostedService<ModelLoading>();
        if (options.Role != ServeRole.Worker) builder.Services.AddHostedService(services => services.GetRequiredService<RequestUpkeep>());
        builder.Services.AddHostedService(services => services.GetRequiredService<BulkWork>()).AddHostedService<Draining>();
        asWorker?.Invoke(builder);

        WebApplication app = builder.Build();
        app.UseMiddleware<Boundary>();
        app.MapService();
        app.MapHealth();
        app.MapModels();
        app.MapCompletions();
        app.MapFiles();
        app.MapBatches();
        app.MapRequests();
        app.MapAdmin();
        app.MapMetrics();
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

        ProcessEnd end = app.Services.GetRequiredService<ProcessEnd>();
        await app.WaitForShutdownAsync();
        // The host stops in good order where a service of it fails, which the log says; whoever restarts this process has to know.
        bool hasFailed = app.Services.GetServices<IHostedService>().OfType<BackgroundService>().Any(service => service.ExecuteTask is { IsFaulted: true });
        await app.DisposeAsync();
        return hasFailed ? 1 : end.ExitCode;
    }
}
