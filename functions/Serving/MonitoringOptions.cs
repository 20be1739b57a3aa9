using System.Globalization;

namespace R1Serverless.Serving;

/// <summary>Where traces and metrics go. A class, so that nothing prints its connection string by the way.</summary>
internal sealed class MonitoringOptions
{
    public const string OtlpVariable = "OTEL_EXPORTER_OTLP_ENDPOINT";
    public const string AzureVariable = "APPLICATIONINSIGHTS_CONNECTION_STRING";
    public const string AzureIdentityVariable = "APPLICATIONINSIGHTS_AUTHENTICATION_STRING";
    public const string MetricsVariable = "R1_METRICS";
    public const string CostVariable = "R1_COST_PER_HOUR";

    private const string OtlpTraces = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", OtlpMetrics = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
        InstrumentationKey = "InstrumentationKey=";

    /// <summary>The endpoints of an OpenTelemetry collector that the environment names; the exporter reads the rest of OTEL_* itself.</summary>
    public IReadOnlyList<(string Variable, string Endpoint)> Otlp { get; init; } = [];

    /// <summary>Of Application Insights; null for none.</summary>
    public string? AzureConnection { get; init; }

    /// <summary>How to sign in there, as Azure Functions writes it: <c>Authorization=AAD</c>, with <c>;ClientId=…</c> for a user-assigned identity;
    /// null for the key in the connection string.</summary>
    public string? AzureIdentity { get; init; }

    /// <summary>Whether GET /metrics answers, in Prometheus's text form.</summary>
    public bool HasPage { get; init; }

    /// <summary>What an hour of this process costs, in whichever currency; null where nobody said.</summary>
    public double? CostPerHour { get; init; }

    /// <summary>Whether anything is measured for somebody.</summary>
    public bool IsOn => Otlp.Count > 0 || AzureConnection is not null || HasPage;

    /// <summary>Why these options make no sense, and what to do; null where they do.</summary>
    public string? Refusal => Otlp.FirstOrDefault(one => !IsAddress(one.Endpoint)) is { Variable: { } variable, Endpoint: var endpoint }
        ? $"{variable}: '{endpoint}' is no address. Write it like http://127.0.0.1:4318, and with OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf unless "
        + "the collector speaks gRPC there."
        : AzureConnection?.Contains(InstrumentationKey, StringComparison.OrdinalIgnoreCase) == false
            ? $"{AzureVariable} is no connection string: copy it from the Application Insights resource; it begins with {InstrumentationKey}"
            : CostPerHour is { } cost && !(cost is >= 0 and < 1e6)
                ? $"{CostVariable} must be a price such as 0.526."
                : null;

    /// <param name="read">Of the environment.</param>
    /// <param name="hasPage">Whether the command line asks for /metrics.</param>
    public static MonitoringOptions Read(Func<string, string?> read, bool hasPage)
    {
        string? Set(string variable) => read(variable) is { Length: > 0 } value ? value : null;
        return new MonitoringOptions
        {
            Otlp = [.. ((string[])[OtlpVariable, OtlpTraces, OtlpMetrics]).Where(variable => Set(variable) is not null)
                .Select(variable => (variable, Set(variable)!))],
            AzureConnection = Set(AzureVariable),
            AzureIdentity = Set(AzureIdentityVariable),
            HasPage = hasPage || Set(MetricsVariable) is "1" or "true",
            CostPerHour = Set(CostVariable) is { } cost
                ? double.TryParse(cost, NumberStyles.Float, CultureInfo.InvariantCulture, out var price) ? price : double.NaN : null,
        };
    }

    private static bool IsAddress(string text) => Uri.TryCreate(text, UriKind.Absolute, out var address) && address.Scheme is "http" or "https";
}
