using OpenTelemetry.Metrics;

namespace R1Serverless.Monitoring;

/// <summary>GET /metrics, as Prometheus reads it.</summary>
internal static class MetricsPage
{
    public const string Path = "/metrics";

    /// <param name="services">Of the web server.</param>
    public static RequestDelegate Create(MeterProvider metrics, IServiceProvider services) => new ApplicationBuilder(services)
        .UseOpenTelemetryPrometheusScrapingEndpoint(metrics, predicate: static _ => true, path: null, configureBranchedPipeline: null,
        optionsName: null)
        .Build();
}
