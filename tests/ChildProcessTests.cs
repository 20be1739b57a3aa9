using System.Diagnostics;

namespace R1Serverless.Tests;

/// <summary>What a started process has of the environment of whoever starts it.</summary>
public sealed class ChildProcessTests
{
    [Theory]
    [InlineData("R1_MODELS", false)]
    [InlineData("R1_API_KEY", false)]
    [InlineData("R1_KEYS", false)]
    [InlineData("R1_TRANSPORT", false)]
    [InlineData("R1_METRICS", false)]
    [InlineData("ASPNETCORE_URLS", false)]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", false)]
    [InlineData("APPLICATIONINSIGHTS_CONNECTION_STRING", false)]
    [InlineData("FUNCTIONS_WORKER_RUNTIME", false)]
    [InlineData("DOTNET_ROOT", true)]
    [InlineData("TMPDIR", true)]
    public void Settings_of_the_operators_own_server_are_left_out(string name, bool stays)
    {
        ProcessStartInfo start = new("r1");
        start.Environment[name] = "here";
        ChildProcess.Isolate(start);
        Assert.Equal(stays, start.Environment.ContainsKey(name));
    }
}
