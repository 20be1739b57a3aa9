using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using R1Serverless.Azure.ServiceBus;
using R1Serverless.Azure.Storage;
using R1Serverless.Commands;
using R1Serverless.Engine.Devices;
using R1Serverless.ModelLoading;
using R1Serverless.Queues;
using R1Serverless.Serving;

namespace R1Serverless.Tests.Infra;

/// <summary>The worker's container app against the code and its image.</summary>
public sealed class WorkerDeployedTests(Deployments deployments)
{
    public static TheoryData<string> All => Deployments.All;

    [Theory]
    [MemberData(nameof(All))]
    public async Task It_is_started_as_our_command_line_says_and_has_time_to_drain(string name)
    {
        var template = (await AppAsync(name))["properties"]!["template"]!;
        string[] arguments = [.. Container(template)["args"]!.AsArray().Select(one => one!.GetValue<string>())];
        Assert.Equal("serve", arguments[0]);
        var parsed = ServeCommand.Create(LocalModels.LoadAsync).Parse(arguments[1..]);
        Assert.Empty(parsed.Errors);
        Assert.Equal(RoleName.Of(ServeRole.Worker), parsed.GetValue<string>("--role"));
        // Where the image brings its models built.
        var image = ServeCommand.Create(LocalModels.LoadAsync).Parse(Dockerfile.Words(Dockerfile.Read("worker.Dockerfile").Single("CMD"))[1..]);
        Assert.Equal(image.GetValue<string>("--data"), parsed.GetValue<string>("--data"));
        Assert.InRange(template["terminationGracePeriodSeconds"]!.GetValue<int>(), parsed.GetValue<int>("--grace") + 15, 600);
    }

    [Fact]
    public void The_image_for_gpus_has_the_cuda_that_the_provider_links_to()
    {
        var image = Dockerfile.Read("worker.Dockerfile").Stages.Single(stage => stage.Stage == "runtime-true").Base;
        var runtime = CudaRequirements.Parts.SelectMany(part => part.Libraries)
            .Single(library => library.StartsWith("libcudart.so.", StringComparison.Ordinal));
        Assert.StartsWith($"nvidia/cuda:{runtime["libcudart.so.".Length..]}.", image, StringComparison.Ordinal);
        Assert.Contains("-cudnn-runtime-", image, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task Probes_ask_for_health_where_the_image_listens(string name)
    {
        var container = Container((await AppAsync(name))["properties"]!["template"]!);
        var port = Dockerfile.Read("worker.Dockerfile").Single("EXPOSE");
        var probes = container["probes"]!.AsArray()
            .ToDictionary(probe => probe!["type"]!.GetValue<string>(), probe => probe!["httpGet"]!, StringComparer.Ordinal);
        Assert.Equal(["Liveness", "Readiness", "Startup"], probes.Keys.Order());
        Assert.All(probes.Values, probe => Assert.Equal(port, probe["port"]!.GetValue<int>().ToString(CultureInfo.InvariantCulture)));
        Assert.Equal(HealthCommand.Live, probes["Liveness"]["path"]!.GetValue<string>());
        Assert.Equal(HealthCommand.Live, probes["Startup"]["path"]!.GetValue<string>()); // the port is open long before a model is loaded
        Assert.Equal(HealthCommand.Ready, probes["Readiness"]["path"]!.GetValue<string>());
        Assert.Equal(port,
            new Uri(HealthCommand.Local(Deployment.Variables(container["env"]!)["ASPNETCORE_URLS"])).Port.ToString(CultureInfo.InvariantCulture));
        // The platform takes no more.
        Assert.All(container["probes"]!.AsArray(), probe => Assert.InRange(probe!["failureThreshold"]!.GetValue<int>(), 1, 10));
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task It_scales_by_the_queues_that_it_drains_without_a_key(string name)
    {
        var deployed = await deployments.GetAsync(name);
        var scale = (await AppAsync(name))["properties"]!["template"]!["scale"]!;
        JsonNode[] rules = [.. scale["rules"]!.AsArray().Select(rule => rule!["custom"]!)];
        var isStorage = Deployment.Variables(Container((await AppAsync(name))["properties"]!["template"]!)["env"]!)[TransportOptions.KindVariable]
            == "storage";
        var prefix = isStorage ? new StorageOptions().QueuePrefix : new ServiceBusOptions().EntityPrefix;
        string[] classes = [.. Enum.GetValues<WorkClass>().Select(one => prefix + WorkClassName.Of(one))];
        string[] drained = [.. classes, .. classes.Select(queue => $"{queue}-{RouteName.Of(new RequestRoute("r1-nano"))}"), IJobQueue.Name];
        Assert.Equal(drained.Order(), rules.Select(rule => rule["metadata"]!["queueName"]!.GetValue<string>()).Order());
        foreach (var rule in rules)
        {
            Assert.Equal(isStorage ? "azure-queue" : "azure-servicebus", rule["type"]!.GetValue<string>());
            Assert.Null(rule["auth"]);
            Assert.Contains("/userAssignedIdentities/id-platform-", rule["identity"]!.GetValue<string>(), StringComparison.Ordinal);
            var place = rule["metadata"]![isStorage ? "accountName" : "namespace"]!.GetValue<string>();
            Assert.Equal(Assert.Single(deployed.Names(isStorage ? "Microsoft.Storage/storageAccounts" : "Microsoft.ServiceBus/namespaces")), place);
            Assert.True(
                int.Parse(rule["metadata"]![isStorage ? "queueLength" : "messageCount"]!.GetValue<string>(), CultureInfo.InvariantCulture) > 0);
        }

        // Who counts them may look at each, and owns no more.
        var scope = isStorage ? "/queueServices/default/queues/" : "/queues/";
        string[] seen = [.. deployed.Of("Microsoft.Authorization/roleAssignments")
            .Where(one => one["properties"]!["principalId"]!.GetValue<string>().Contains(".principals.value.platform", StringComparison.Ordinal)
            && one["id"]!.GetValue<string>().Contains(scope, StringComparison.Ordinal))
            .Select(one => one["id"]!.GetValue<string>().Split(scope)[1].Split('/')[0])];
        Assert.Equal(drained.Order(), seen.Order());
        Assert.True(scale["minReplicas"]!.GetValue<int>() <= scale["maxReplicas"]!.GetValue<int>());
    }

    [Theory]
    [InlineData("dev", "Consumption", 4, null)]
    [InlineData("prod", "gpu", 8, "Consumption-GPU-NC8as-T4")]
    [InlineData("full", "gpu", 24, "Consumption-GPU-NC24-A100")]
    public async Task It_runs_on_the_profile_of_its_gpu(string name, string profile, int cores, string? kind)
    {
        var properties = (await AppAsync(name))["properties"]!;
        Assert.Equal(profile, properties["workloadProfileName"]!.GetValue<string>());
        Assert.Equal(cores, Container(properties["template"]!)["resources"]!["cpu"]!.GetValue<int>());
        var profiles = (await deployments.GetAsync(name)).One("Microsoft.App/managedEnvironments")["properties"]!["workloadProfiles"]!.AsArray();
        var one = Assert.Single(profiles, one => one!["name"]!.GetValue<string>() == profile)!;
        Assert.Equal(kind ?? "Consumption", one["workloadProfileType"]!.GetValue<string>());
    }

    private static JsonNode Container(JsonNode template) => Assert.Single(template["containers"]!.AsArray())!;

    private async Task<JsonNode> AppAsync(string name) => (await deployments.GetAsync(name)).App("worker");
}
