using System.CommandLine;
using R1Serverless.Hosting;
using R1Serverless.Monitoring;

namespace R1Serverless.Commands;

/// <summary>What <c>r1 serve</c> is told about traces and metrics: <c>--metrics</c>, and the environment, as other software has it.</summary>
internal static class MonitoringOption
{
    private static readonly Option<bool> Metrics = new("--metrics")
    {
        Description = $"Answer GET /metrics in Prometheus's text form; where keys are needed, any will do (also {MonitoringOptions.MetricsVariable}=1). {MonitoringOptions.OtlpVariable} and {MonitoringOptions.AzureVariable} send metrics and traces away.",
    };

    public static void AddTo(Command command) => command.Options.Add(Metrics);

    public static ServeOptions Read(ParseResult arguments, ServeOptions options) => options with { Monitoring = MonitoringOptions.Read(Environment.GetEnvironmentVariable, arguments.GetValue(Metrics)) };
}
