using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using R1Serverless.Commands;
using R1Serverless.Hosting;

namespace R1Serverless.Tests.Infra;

/// <summary>The gateway, in either of its homes, against the code, its image and what the Functions host wants; and the variables of both roles.</summary>
public sealed class GatewayDeployedTests(Deployments deployments)
{
    private const string Argument = "AzureFunctionsJobHost__customHandler__description__arguments__";

    private static readonly Regex Variable = new("\"(?<name>R1_[A-Z_]*[A-Z])\"", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(5));

    // Keys are named here; Prometheus is not; tokens are a tenant's.
    private static readonly string[] NotDeployed = ["R1_API_KEY", "R1_METRICS", "R1_ENTRA_AUTHORITY"];

    public static TheoryData<string> All => Deployments.All;

    private static string Sources { get; } = string.Concat(((string[])["core", "functions"]).SelectMany(folder => Directory.EnumerateFiles(RepositoryFiles.Path(folder), "*.cs", SearchOption.AllDirectories)).Select(File.ReadAllText));

    private static JsonNode Host { get; } = JsonNode.Parse(File.ReadAllText(RepositoryFiles.Path("host.json")))!;

    [Theory]
    [MemberData(nameof(All))]
    public async Task Its_command_line_is_one_of_ours(string name)
    {
        var variables = await GatewayAsync(name);
        string[] own = [.. Host["customHandler"]!["description"]!["arguments"]!.AsArray().Select(one => one!.GetValue<string>())];
        var added = variables.Where(one => one.Key.StartsWith(Argument, StringComparison.Ordinal)).ToDictionary(one => int.Parse(one.Key[Argument.Length..], CultureInfo.InvariantCulture), one => one.Value);
        Assert.Equal(Enumerable.Range(own.Length, added.Count), added.Keys.Order());
        ParseResult parsed = ServeCommand.Create(LocalModels.LoadAsync).Parse([.. own[1..], .. added.OrderBy(one => one.Key).Select(one => one.Value)]);
        Assert.Empty(parsed.Errors);
        Assert.Equal(RoleName.Of(ServeRole.Gateway), parsed.GetValue<string>("--role"));
        bool hasWebhooks = parsed.GetValue<string[]>("--webhook-host") is { Length: > 0 };
        Assert.Equal(hasWebhooks, variables.ContainsKey(WebhookSecret.Variable));
        Assert.Equal(name is "full" or "premium", hasWebhooks);
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task What_is_set_is_read_by_somebody(string name)
    {
        string[] set = [.. (await GatewayAsync(name)).Keys, .. (await WorkerAsync(name)).Keys];
        string[] ours = [.. set.Where(one => one.StartsWith("R1_", StringComparison.Ordinal)).Select(one => one.Split("__")[0]).Except(Triggers().Select(one => one.Connection))];
        Assert.NotEmpty(ours);
        Assert.All(ours, one => Assert.Contains($"\"{one}\"", Sources, StringComparison.Ordinal));
        // The rest is read by the Functions host, by App Service, or by Azure's client libraries.
        Assert.All(set.Except(ours), one => Assert.Matches("^(R1_|AzureWebJobs|AzureFunctionsJobHost__|FUNCTIONS_|WEBSITES?_|APPLICATIONINSIGHTS_(CONNECTION|AUTHENTICATION)_STRING$|AZURE_CLIENT_ID$|ASPNETCORE_URLS$)", one));
    }

    [Fact]
    public async Task What_the_code_reads_is_set()
    {
        HashSet<string> set = [];
        foreach (string name in (string[])["full", "prod"]) set.UnionWith([.. (await GatewayAsync(name)).Keys, .. (await WorkerAsync(name)).Keys]);
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
            TransportKind kind = TransportOptions.Parse(variables[TransportOptions.KindVariable]);
            Assert.Equal(kind == TransportKind.ServiceBus, variables.ContainsKey(TransportOptions.ServiceBusVariable));
            Assert.Null(Transports.Refusal(new TransportOptions { Kind = kind, Storage = variables[TransportOptions.StorageVariable], ServiceBus = variables.GetValueOrDefault(TransportOptions.ServiceBusVariable) }));
            Assert.Contains(").clientId]", variables["AZURE_CLIENT_ID"], StringComparison.Ordinal);
            Assert.Contains("ClientId=", variables["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"], StringComparison.Ordinal);
            Assert.Contains("secrets/", variables["R1_KEYS"], StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task Triggers_find_their_connections_and_the_one_not_in_use_is_off(string name)
    {
        var variables = await GatewayAsync(name);
        foreach (var (function, kind, connection) in Triggers().Append(("", "queueTrigger", "AzureWebJobsStorage")))
        {
            bool isUsed = kind == "queueTrigger" ? connection == "AzureWebJobsStorage" || !variables.ContainsKey("R1_SERVICEBUS") : variables.ContainsKey("R1_SERVICEBUS");
            Assert.Equal(!isUsed, variables.GetValueOrDefault($"AzureWebJobs.{function}.Disabled") == "true");
            if (!isUsed) continue;
            Assert.Equal("managedidentity", variables[$"{connection}__credential"]);
            Assert.Contains(").clientId]", variables[$"{connection}__clientId"], StringComparison.Ordinal);
            Assert.Contains(variables.Keys, key => key == $"{connection}__{(connection == "AzureWebJobsStorage" ? "accountName" : kind == "queueTrigger" ? "queueServiceUri" : "fullyQualifiedNamespace")}");
        }

        string[] off = [.. variables.Keys.Where(key => key.StartsWith("AzureWebJobs.", StringComparison.Ordinal)).Select(key => key.Split('.')[1])];
        Assert.Single(off);
    }

    [Theory]
    [InlineData("dev")]
    [InlineData("full")]
    [InlineData("premium")]
    public async Task It_listens_where_callers_and_probes_ask(string name)
    {
        Deployment deployed = await deployments.GetAsync(name);
        string port = Dockerfile.Read("gateway.Dockerfile").Single("EXPOSE");
        if (name == "premium")
        {
            JsonNode site = deployed.One("Microsoft.Web/sites")["properties"]!;
            Assert.Equal(port, (await GatewayAsync(name))["WEBSITES_PORT"]);
            Assert.Equal(HealthCommand.Ready, (await GatewayAsync(name))["WEBSITE_WARMUP_PATH"]);
            Assert.Equal(HealthCommand.Ready, site["siteConfig"]!["healthCheckPath"]!.GetValue<string>());
            Assert.True(site["httpsOnly"]!.GetValue<bool>());
            Assert.Equal("DOCKER|registry.example.com/gateway:golden", site["siteConfig"]!["linuxFxVersion"]!.GetValue<string>());
            return;
        }

        JsonNode properties = App(deployed, "gateway")["properties"]!;
        Assert.Equal("functionapp", App(deployed, "gateway")["kind"]!.GetValue<string>());
        Assert.Equal(port, properties["configuration"]!["ingress"]!["targetPort"]!.GetValue<int>().ToString(CultureInfo.InvariantCulture));
        Assert.False(properties["configuration"]!["ingress"]!["allowInsecure"]!.GetValue<bool>());
        Assert.Null(properties["template"]!["scale"]!["rules"]); // the platform makes them of the triggers, and refuses others
        var probes = properties["template"]!["containers"]![0]!["probes"]!.AsArray().ToDictionary(probe => probe!["type"]!.GetValue<string>(), probe => probe!["httpGet"]!, StringComparer.Ordinal);
        Assert.Equal(["Liveness", "Readiness", "Startup"], probes.Keys.Order());
        Assert.All(probes, probe => Assert.Equal(port, probe.Value["port"]!.GetValue<int>().ToString(CultureInfo.InvariantCulture)));
        Assert.All(probes, probe => Assert.Equal(probe.Key == "Readiness" ? HealthCommand.Ready : HealthCommand.Live, probe.Value["path"]!.GetValue<string>()));
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task There_is_one_gateway(string name)
    {
        Deployment deployed = await deployments.GetAsync(name);
        Assert.Equal(name == "premium" ? ["worker"] : ["gateway", "worker"], deployed.Of("Microsoft.App/containerApps").Select(app => app["tags"]!["azd-service-name"]!.GetValue<string>()).Order());
        Assert.Equal(name == "premium" ? 1 : 0, deployed.Of("Microsoft.Web/sites").Count());
    }

    private static IEnumerable<(string Function, string Kind, string Connection)> Triggers() =>
        from file in Directory.EnumerateFiles(RepositoryFiles.Path("functions", "Triggers"), "function.json", SearchOption.AllDirectories)
        let trigger = JsonNode.Parse(File.ReadAllText(file))!["bindings"]!.AsArray().Single(one => one!["type"]!.GetValue<string>().EndsWith("Trigger", StringComparison.Ordinal))!
        where trigger["connection"] is not null
        select (Path.GetFileName(Path.GetDirectoryName(file)!), trigger["type"]!.GetValue<string>(), trigger["connection"]!.GetValue<string>());

    private static JsonNode App(Deployment deployed, string service) => Assert.Single(deployed.Of("Microsoft.App/containerApps"), app => app["tags"]!["azd-service-name"]!.GetValue<string>() == service);

    private async Task<IReadOnlyDictionary<string, string>> GatewayAsync(string name)
    {
        Deployment deployed = await deployments.GetAsync(name);
        return Deployment.Variables(deployed.Of("Microsoft.Web/sites").SingleOrDefault() is { } site
            ? site["properties"]!["siteConfig"]!["appSettings"]!
            : App(deployed, "gateway")["properties"]!["template"]!["containers"]![0]!["env"]!);
    }

    private async Task<IReadOnlyDictionary<string, string>> WorkerAsync(string name) =>
        Deployment.Variables(App(await deployments.GetAsync(name), "worker")["properties"]!["template"]!["containers"]![0]!["env"]!);
}
