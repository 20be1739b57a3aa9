using System.Reflection;
using Microsoft.Azure.Functions.Worker.OpenTelemetry;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using R1Serverless.Abstractions.Telemetry;
using R1Serverless.Serving;

namespace R1Serverless.Monitoring;

/// <summary>What collects this process's traces and metrics and sends them on. Making it loads OpenTelemetry's libraries; nothing else here
/// does.</summary>
internal sealed class Exporters : IDisposable
{
    private const string HttpMeter = "Microsoft.AspNetCore.Hosting", RuntimeMeter = "System.Runtime",
        FunctionsSource = "Microsoft.Azure.Functions.Worker";
    private readonly TracerProvider? _traces;

    /// <param name="options">Without a <see cref="MonitoringOptions.Refusal"/>.</param>
    /// <param name="service">What this process is called where its telemetry goes; OTEL_SERVICE_NAME goes before it.</param>
    /// <param name="isOwn">Whether the process sends a request to itself, which is nobody's.</param>
    /// <param name="isBehindHost">Whether the Functions host's names for app, region and invocations are told too.</param>
    public Exporters(MonitoringOptions options, string service, Func<HttpRequest, bool> isOwn, bool isBehindHost)
    {
        var metrics = Sdk.CreateMeterProviderBuilder().ConfigureResource(Describe).AddMeter(Instruments.MeterName, HttpMeter, RuntimeMeter);
        if (options.Otlp.Count > 0) metrics.AddOtlpExporter();
        if (options.AzureConnection is not null) AzureMonitorExport.AddTo(metrics, options);
        if (options.HasPage) metrics.AddPrometheusExporter();
        Metrics = metrics.Build()!;
        if (options.Otlp.Count == 0 && options.AzureConnection is null) return;

        var traces = Sdk.CreateTracerProviderBuilder().ConfigureResource(Describe).AddSource(Activities.SourceName, FunctionsSource)
            .AddAspNetCoreInstrumentation(http => http.Filter = context => !IsProbe(context.Request.Path) && !isOwn(context.Request))
            .AddProcessor(new SpanPrivacy());
        if (options.Otlp.Count > 0) traces.AddOtlpExporter();
        if (options.AzureConnection is not null) AzureMonitorExport.AddTo(traces, options);
        _traces = traces.Build();

        void Describe(ResourceBuilder resource)
        {
            resource.AddService(service, serviceVersion: Version);
            if (isBehindHost) resource.AddDetector(new FunctionsResourceDetector());
            resource.AddEnvironmentVariableDetector();
        }
    }

    public MeterProvider Metrics { get; }

    private static string Version => typeof(Exporters).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;

    private static bool IsProbe(PathString path) => path.StartsWithSegments("/health", StringComparison.Ordinal) || path == MetricsPage.Path;

    /// <summary>Sends what is left.</summary>
    public void Dispose()
    {
        _traces?.Dispose();
        Metrics.Dispose();
    }
}
