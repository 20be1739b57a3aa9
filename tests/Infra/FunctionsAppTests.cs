using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using R1Serverless.Queues;
using R1Serverless.Queues.Batches;
using R1Serverless.Serving;
using R1Serverless.Tests.Triggers.Host;

namespace R1Serverless.Tests.Infra;

/// <summary>What the Functions host reads, wherever it runs: host.json, the functions' definitions, the image's and the templates' settings, and what
/// docs/functions.md says of them.</summary>
public sealed class FunctionsAppTests(Deployments deployments)
{
    private const string BodyLimit = "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", Runtime = "FUNCTIONS_WORKER_RUNTIME";

    // Of what the app was before it was an isolated one.
    private static readonly Regex Former = new(
        "custom.?handler|extension.?bundle|function\\.json|InferenceJobsServiceBus|R1_JOBS_BUS",
        RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(5));

    public static TheoryData<string> All => Deployments.All;

    private static JsonNode Host { get; } = JsonNode.Parse(File.ReadAllText(RepositoryFiles.Path("host.json")))!;

    private static string Document { get; } = File.ReadAllText(RepositoryFiles.Path("docs", "functions.md"));

    [Fact]
    public void Host_json_says_what_the_code_relies_on()
    {
        Assert.Equal(["extensions", "functionTimeout", "logging", "telemetryMode", "version"],
            Host.AsObject().Select(one => one.Key).Order(StringComparer.Ordinal));
        Assert.Equal("-1", Host["functionTimeout"]!.GetValue<string>());
        Assert.Equal("", Host["extensions"]!["http"]!["routePrefix"]!.GetValue<string>());
        Assert.Equal("none", Host["extensions"]!["queues"]!["messageEncoding"]!.GetValue<string>());
        Dictionary<string, string> extensions = new(StringComparer.Ordinal) { ["http"] = "httpTrigger", ["queues"] = "queueTrigger" };
        Assert.All(Host["extensions"]!.AsObject(),
            one => Assert.Contains(FunctionDefinition.Built, function => function.Type == extensions[one.Key]));
    }

    [Fact]
    public void There_is_a_function_for_jobs_in_a_storage_queue_and_none_for_those_in_service_bus()
    {
        var jobs = Assert.Single(FunctionDefinition.Built, one => one.Connection is not null);
        Assert.Equal(("InferenceJobs", "queueTrigger", IJobQueue.Name), (jobs.Name, jobs.Type, jobs.Trigger.GetProperty("queueName").GetString()));
    }

    [Fact]
    public void Names_of_functions_can_stand_in_settings() =>
    Assert.All(FunctionDefinition.Built, one => Assert.Matches("^[A-Za-z][A-Za-z0-9]*$", one.Name));

    [Theory]
    [MemberData(nameof(All))]
    public async Task The_image_and_every_deployment_run_the_isolated_worker_and_let_through_what_the_app_takes(string name)
    {
        IReadOnlyDictionary<string, string> image = Dockerfile.Read("gateway.Dockerfile").Environment,
            deployed = (await deployments.GetAsync(name)).Gateway();
        Assert.Equal("dotnet-isolated", image[Runtime]);
        Assert.Equal(image[Runtime], deployed[Runtime]);
        Assert.Equal(image[BodyLimit], deployed[BodyLimit]);
        // An upload has some form data around its file.
        var least = Math.Max(new BatchLimits().FileBytes, new ServeOptions().MaxBodyBytes) + (1 << 20);
        Assert.True(long.Parse(image[BodyLimit], CultureInfo.InvariantCulture) >= least,
            $"{BodyLimit} is {image[BodyLimit]}, and the app takes {least}.");
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task Names_of_settings_are_ones_that_each_home_of_the_gateway_takes(string name) =>
        Assert.All((await deployments.GetAsync(name)).Gateway().Keys, one => Assert.Matches("^[A-Za-z][A-Za-z0-9_]*$", one));

    [Fact]
    public void The_host_without_functions_is_the_images_own() =>
        Assert.Contains($"'{Dockerfile.Read("gateway.Dockerfile").Stages.Last().Base}'",
            File.ReadAllText(RepositoryFiles.Path("infra", "main.bicep")), StringComparison.Ordinal);

    [Fact]
    public void On_one_machine_every_trigger_finds_its_queue()
    {
        ComposeFile compose = new(RepositoryFiles.Path("infra", "compose.yaml"));
        string[] connections = [.. FunctionDefinition.Built.Select(one => one.Connection).OfType<string>(), "AzureWebJobsStorage"];
        Assert.All(connections,
            one => Assert.Equal(compose[$"services/gateway/environment/{TransportOptions.StorageVariable}"],
            compose[$"services/gateway/environment/{one}"]));
    }

    [Fact]
    public void Every_function_is_told_of_with_its_route()
    {
        Assert.NotEmpty(FunctionDefinition.Built);
        var table = Document.Split("\n## Functions\n")[1].Split("\n## ")[0];
        foreach (var one in FunctionDefinition.Built)
            Assert.Matches($"(?m)^\\| `{one.Name}` \\|{(one.IsHttp ? $" `/{Regex.Escape(one.Route)}`" : "")}", table);
        string[] told =
            [.. Regex.Matches(table, "(?m)^\\| `(?<name>[A-Za-z]+)` \\|", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(5))
                .Select(match => match.Groups["name"].Value)];
        Assert.Equal(FunctionDefinition.Built.Select(one => one.Name).Order(), told.Order());
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task Every_setting_that_is_deployed_is_told_of(string name)
    {
        string[] settings =
            [.. (await deployments.GetAsync(name)).Gateway().Keys.Select(one => one.Split("__")[0]).Distinct()
                .Where(one => one.StartsWith("FUNCTIONS_", StringComparison.Ordinal) || one.StartsWith("AzureWebJobs", StringComparison.Ordinal)
                || one.StartsWith("R1_STORAGE", StringComparison.Ordinal) || one.StartsWith("R1_SERVE", StringComparison.Ordinal))];
        Assert.True(settings.Length > 5, string.Join(' ', settings));
        Assert.All(settings, one => Assert.Contains($"`{one}", Document, StringComparison.Ordinal));
    }

    [Fact]
    public void Nothing_speaks_of_what_it_was_before()
    {
        string[] files =
        [
            .. ((string[])["host.json", "azure.yaml", "README.md"]).Select(one => RepositoryFiles.Path(one)),
            .. ((string[])["docs", "infra", "functions"]).SelectMany(
                folder => Directory.EnumerateFiles(RepositoryFiles.Path(folder), "*", SearchOption.AllDirectories))
                .Where(file =>
                !Regex.IsMatch(Path.GetRelativePath(RepositoryFiles.Root, file), "(^|[/\\\\])(bin|obj)[/\\\\]", RegexOptions.ExplicitCapture,
                TimeSpan.FromSeconds(1))),
        ];
        Assert.True(files.Length > 100);
        Assert.Empty(from file in files
                     let found = Former.Match(File.ReadAllText(file) + Path.GetFileName(file))
                     where found.Success
                     select $"{Path.GetRelativePath(RepositoryFiles.Root, file)}: {found.Value}");
    }
}
