using Azure.Core;
using Azure.Identity;
using Azure.Monitor.OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;
using R1Serverless.Serving;

namespace R1Serverless.Monitoring;

/// <summary>Application Insights, by the key in its connection string or, where that is switched off, by a managed identity.</summary>
internal static class AzureMonitorExport
{
    private const string Authorization = "Authorization", Entra = "AAD", ClientId = "ClientId";

    public static void AddTo(MeterProviderBuilder metrics, MonitoringOptions options) => metrics.AddAzureMonitorMetricExporter(Configure(options));

    public static void AddTo(TracerProviderBuilder traces, MonitoringOptions options) => traces.AddAzureMonitorTraceExporter(Configure(options));

    /// <summary>Null where the connection string's key is enough.</summary>
    /// <param name="setting">As <see cref="MonitoringOptions.AzureIdentity"/>.</param>
    public static TokenCredential? Credential(string? setting)
    {
        var parts = (setting ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(part => part.Split('=', 2)).Where(part => part.Length == 2)
            .ToDictionary(part => part[0], part => part[1], StringComparer.OrdinalIgnoreCase);
        if (!parts.TryGetValue(Authorization, out var kind) || !kind.Equals(Entra, StringComparison.OrdinalIgnoreCase)) return null;
        return new ManagedIdentityCredential(
            parts.TryGetValue(ClientId, out var id) ? ManagedIdentityId.FromUserAssignedClientId(id) : ManagedIdentityId.SystemAssigned);
    }

    private static Action<AzureMonitorExporterOptions> Configure(MonitoringOptions options) => exporter =>
    {
        exporter.ConnectionString = options.AzureConnection;
        exporter.Credential = Credential(options.AzureIdentity);
        exporter.EnableLiveMetrics = false;
    };
}
