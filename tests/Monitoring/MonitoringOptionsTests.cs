using Azure.Identity;
using R1Serverless.Monitoring;
using R1Serverless.Serving;

namespace R1Serverless.Tests.Monitoring;

public sealed class MonitoringOptionsTests
{
    [Fact]
    public void Nothing_set_is_nothing_on() => Assert.False(MonitoringOptions.Read(_ => "", hasPage: false).IsOn);

    [Theory]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")]
    [InlineData("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://collector/v1/traces")]
    [InlineData("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://collector/v1/metrics")]
    [InlineData("APPLICATIONINSIGHTS_CONNECTION_STRING",
        "InstrumentationKey=00000000-0000-0000-0000-000000000000;IngestionEndpoint=https://example.com/")]
    [InlineData("R1_METRICS", "1")]
    [InlineData("R1_METRICS", "true")]
    public void Each_variable_turns_it_on(string variable, string value)
    {
        var options = MonitoringOptions.Read(name => name == variable ? value : null, hasPage: false);
        Assert.True(options.IsOn);
        Assert.Null(options.Refusal);
    }

    [Theory]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317")]
    [InlineData("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "/v1/traces")]
    [InlineData("R1_COST_PER_HOUR", "-1")]
    [InlineData("R1_COST_PER_HOUR", "NaN")]
    public void What_makes_no_sense_is_refused_by_its_name(string variable, string value) =>
        Assert.StartsWith(variable, MonitoringOptions.Read(name => name == variable ? value : null, hasPage: false).Refusal,
            StringComparison.Ordinal);

    [Fact]
    public void Where_the_key_is_switched_off_an_identity_signs_in()
    {
        Assert.IsType<ManagedIdentityCredential>(AzureMonitorExport.Credential("Authorization=AAD"));
        Assert.IsType<ManagedIdentityCredential>(AzureMonitorExport.Credential("Authorization=AAD;ClientId=00000000-0000-0000-0000-000000000001"));
        Assert.Null(AzureMonitorExport.Credential(null));
        Assert.Null(AzureMonitorExport.Credential("Authorization=none"));
    }
}
