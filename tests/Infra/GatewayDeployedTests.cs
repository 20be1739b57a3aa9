using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.RegularExpressions;
using R1Serverless.Api.Webhooks;
using R1Serverless.Commands;
using R1Serverless.Hosting;
using R1Serverless.ModelLoading;
using R1Serverless.Serving;
using R1Serverless.Tests.Triggers.Host;

namespace R1Serverless.Tests.Infra;

/// <summary>The gateway, in either of its homes, against the code, its image and what the Functions host wants; and the variables of both
/// roles.</summary>
public sealed class GatewayDeployedTests(Deployments deployments)
{
    private static readonly Regex Variable = new("\"(?<name>R1_[A-Z_]*[A-Z])\"", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(5));

    // Keys are named here; Prometheus is not; tokens are a tenant's; nothing stands between Service Bus and its clients.
    private static readonly string[] NotDeployed = ["R1_API_KEY", "R1_METRICS", "R1_ENTRA_AUTHORITY", TransportOptions.WebSocketsVariable];

    public static TheoryData<string> All => Deployments.All;

    private static string Sources { get; } =
        string.Concat(
            ((string[])["core", "functions"]).SelectMany(
            folder => Directory.EnumerateFiles(RepositoryFiles.Path(folder), "*.cs", SearchOption.AllDirectories)).Select(File.ReadAllText));

    [Theory]
    [MemberData(nameof(All))]
    public async Task Its_options_are_ours(string name)
    {
        var variables = await GatewayAsync(name);
        var parsed = ServeCommand.Create(LocalModels.LoadAsync)
            .Parse(["--role", RoleName.Of(ServeRole.Gateway), .. CommandLineParser.SplitCommandLine(variables[FunctionsHost.OptionsVariable])]);
        Assert.Empty(parsed.Errors);
        var hasWebhooks = parsed.GetValue<string[]>("--webhook-host") is { Length: > 0 };
        Assert.Equal(hasWebhooks, variables.ContainsKey(WebhookSecret.Variable));
        Assert.Equal(name is "full" or "premium", hasWebhooks);
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task What_is_set_is_read_by_somebody(string name)
    {
        string[] set = [.. (await GatewayAsync(name)).Keys, .. (await WorkerAsync(name)).Keys];
        string[] ours =
            [.. set.Where(one => one.StartsWith("R1_", StringComparison.Ordinal)).Select(one => one.Split("__")[0])
                .Except(FunctionDefinition.Built.Select(one => one.Connection).OfType<string>())];
        Assert.NotEmpty(ours);
        Assert.All(ours, one => Assert.Contains($"\"{one}\"", Sources, StringComparison.Ordinal));
        // The rest is read by the Functions host, by App Service, or by Azure's client libraries.
        Assert.All(set.Except(ours),
            one => Assert.Matches(
            "^(R1_|AzureWebJobs|FUNCTIONS_|WEBSITES?_|APPLICATIONINSIGHTS_(CONNECTION|AUTHENTICATION)_STRING$|AZURE_CLIENT_ID$|ASPNETCORE_URLS$)",
            one));
    }

    [Fact]
    public async Task What_the_code_reads_is_set()
    {
        HashSet<string> set = [];
        foreach (var name in (string[])["full", "prod"])
            set.UnionWith(from one in (string[])[.. (await GatewayAsync(name)).Keys, .. (await WorkerAsync(name)).Keys] select one.Split("__")[0]);
        string[] read = [.. Variable.Matches(Sources).Select(match => match.Groups["name"].Value).Distinct()];
        Assert.All(NotDeployed, one => Assert.Contains(one, read));
        Assert.Empty(read.Except(NotDeployed).Except(set));
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task Transport_and_identity_are_what_the_code_can_use(string name)
    {
        foreach (var variables in (IReadOnlyDictionary<string, string>[])[await GatewayAsync(name), await WorkerAsync(name)])
        {
            var kind = TransportOptions.Parse(variables[TransportOptions.KindVariable]);
            Assert.Equal(kind == TransportKind.ServiceBus, variables.ContainsKey(TransportOptions.ServiceBusVariable));
            Assert.Null(
                Transports.Refusal(
                new TransportOptions
                {
                    Kind = kind,
                    Storage = variables.GetValueOrDefault(TransportOptions.StorageVariable) ?? variables[TransportOptions.AccountNameVariable],
                    ServiceBus = variables.GetValueOrDefault(TransportOptions.ServiceBusVariable)
                }));
            Assert.Contains(").clientId]", variables["AZURE_CLIENT_ID"], StringComparison.Ordinal);
            Assert.Contains("ClientId=", variables["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"], StringComparison.Ordinal);
            Assert.Contains("secrets/", variables["R1_KEYS"], StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task Triggers_find_their_connections_by_identity_or_are_off(string name)
    {
        var variables = await GatewayAsync(name);
        var isStorage = variables[TransportOptions.KindVariable] == "storage";
        FunctionDefinition[] triggers = [.. FunctionDefinition.Built.Where(one => one.Connection is not null)];
        Assert.Equal(isStorage ? [] : triggers.Select(one => $"AzureWebJobs_{one.Name}_Disabled"),
            variables.Where(one => one.Key.EndsWith("Disabled", StringComparison.Ordinal) && one.Value == "true").Select(one => one.Key));
        string[] connections = ["AzureWebJobsStorage", .. triggers.Select(one => one.Connection!)];
        Assert.Equal(connections.Order(),
            variables.Keys.Where(key => key.EndsWith("__credential", StringComparison.Ordinal)).Select(key => key.Split("__")[0]).Order());
        foreach (var connection in connections)
        {
            Assert.Equal("managedidentity", variables[$"{connection}__credential"]);
            Assert.Contains(").clientId]", variables[$"{connection}__clientId"], StringComparison.Ordinal);
            Assert.Contains($"{connection}__accountName", variables.Keys);
            Assert.DoesNotContain(connection, variables.Keys); // one value would count as a connection string
        }
    }

    [Theory]
    [InlineData("dev")]
    [InlineData("full")]
    [InlineData("premium")]
    public async Task It_listens_where_callers_and_probes_ask(string name)
    {
        var deployed = await deployments.GetAsync(name);
        var port = Dockerfile.Read("gateway.Dockerfile").Single("EXPOSE");
        if (name == "premium")
        {
            var site = deployed.One("Microsoft.Web/sites")["properties"]!;
            Assert.Equal(port, (await GatewayAsync(name))["WEBSITES_PORT"]);
            Assert.Equal(HealthCommand.Ready, (await GatewayAsync(name))["WEBSITE_WARMUP_PATH"]);
            Assert.Equal(HealthCommand.Ready, site["siteConfig"]!["healthCheckPath"]!.GetValue<string>());
            Assert.True(site["httpsOnly"]!.GetValue<bool>());
            Assert.Equal("DOCKER|registry.example.com/gateway:golden", site["siteConfig"]!["linuxFxVersion"]!.GetValue<string>());
            return;
        }

        var properties = deployed.App("gateway")["properties"]!;
        Assert.Equal("functionapp", deployed.App("gateway")["kind"]!.GetValue<string>());
        Assert.Equal(port, properties["configuration"]!["ingress"]!["targetPort"]!.GetValue<int>().ToString(CultureInfo.InvariantCulture));
        Assert.False(properties["configuration"]!["ingress"]!["allowInsecure"]!.GetValue<bool>());
        Assert.Null(properties["template"]!["scale"]!["rules"]); // the platform makes them of the triggers, and refuses others
        var probes = properties["template"]!["containers"]![0]!["probes"]!.AsArray()
            .ToDictionary(probe => probe!["type"]!.GetValue<string>(), probe => probe!["httpGet"]!, StringComparer.Ordinal);
        Assert.Equal(["Liveness", "Readiness", "Startup"], probes.Keys.Order());
        Assert.All(probes, probe => Assert.Equal(port, probe.Value["port"]!.GetValue<int>().ToString(CultureInfo.InvariantCulture)));
        Assert.All(probes,
            probe => Assert.Equal(probe.Key == "Readiness" ? HealthCommand.Ready : HealthCommand.Live, probe.Value["path"]!.GetValue<string>()));
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task There_is_one_gateway(string name)
    {
        var deployed = await deployments.GetAsync(name);
        Assert.Equal(name == "premium" ? ["worker"] : ["gateway", "worker"],
            deployed.Of("Microsoft.App/containerApps").Select(app => app["tags"]!["azd-service-name"]!.GetValue<string>()).Order());
        Assert.Equal(name == "premium" ? 1 : 0, deployed.Of("Microsoft.Web/sites").Count());
    }

    private async Task<IReadOnlyDictionary<string, string>> GatewayAsync(string name) => (await deployments.GetAsync(name)).Gateway();

    private async Task<IReadOnlyDictionary<string, string>> WorkerAsync(string name) =>
        Deployment.Variables((await deployments.GetAsync(name)).App("worker")["properties"]!["template"]!["containers"]![0]!["env"]!);
}
