using System.Text.RegularExpressions;
using R1Serverless.Serving;

namespace R1Serverless.Tests.Infra;

/// <summary>docs/operate.md against the code.</summary>
public sealed class OperationsDocumentTests
{
    private static readonly Regex Instrument =
        new("(Create[A-Za-z]+(<[a-z]+>)?|Seconds)\\(\\s*\"(?<name>[a-z_.]+)\"", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(5));

    private static string Document => File.ReadAllText(RepositoryFiles.Path("docs", "operate.md"));

    [Fact]
    public void Every_instrument_is_explained()
    {
        string[] names =
            [.. RepositoryFiles.Sources().SelectMany(file => Instrument.Matches(File.ReadAllText(file))).Select(match => match.Groups["name"].Value)];
        Assert.True(names.Length > 25, string.Join(' ', names));
        Assert.All(names, name => Assert.Contains($"`{name}`", Document, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_setting_of_the_monitor_is_explained() => Assert.All(
        (string[])[MonitoringOptions.OtlpVariable, MonitoringOptions.AzureVariable, MonitoringOptions.AzureIdentityVariable,
        MonitoringOptions.MetricsVariable, MonitoringOptions.CostVariable],
        name => Assert.Contains(name, Document, StringComparison.Ordinal));

    [Fact]
    public void Every_base_image_is_named_with_what_is_known_of_it()
    {
        string[] images = [.. from build in ImagesTests.Builds
                              from stage in Dockerfile.Read(build.Data.Item1, ("GPU", build.Data.Item2)).Stages
                              where stage.Base.Contains(':', StringComparison.Ordinal)
                              select stage.Base, new ComposeFile(RepositoryFiles.Path("infra", "compose.yaml"))["services/azurite/image"]];
        Assert.All(images.Distinct(), image => Assert.Contains($"`{image}`", Document, StringComparison.Ordinal));
    }
}
