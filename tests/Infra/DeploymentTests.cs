using System.Text.Json.Nodes;

namespace R1Serverless.Tests.Infra;

/// <summary>What matters of what would be deployed, whatever the settings.</summary>
public sealed class DeploymentTests(Deployments deployments)
{
    private const string Account = "Microsoft.Storage/storageAccounts", Assignment = "Microsoft.Authorization/roleAssignments";

    // By Microsoft's list of built-in roles.
    private static readonly Dictionary<string, string> Roles = new(StringComparer.Ordinal)
    {
        ["7f951dda-4ed3-4680-a7ca-43fe172d538d"] = "AcrPull",
        ["b86a8fe4-44ce-4948-aee5-eccb2c155cd7"] = "Key Vault Secrets Officer",
        ["4633458b-17de-408a-b874-0445c86b69e6"] = "Key Vault Secrets User",
        ["3913510d-42f4-4e42-8a64-420c390055eb"] = "Monitoring Metrics Publisher",
        ["090c5cfd-751d-490a-894a-3ce6f1109419"] = "Azure Service Bus Data Owner",
        ["4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0"] = "Azure Service Bus Data Receiver",
        ["69a216fc-b8fb-44d8-bc22-1f3c2cd27a39"] = "Azure Service Bus Data Sender",
        ["ba92f5b4-2d11-453d-a403-e96b0029c9fe"] = "Storage Blob Data Contributor",
        ["b7e6dc6d-f1e8-4753-8033-0f276bb0955b"] = "Storage Blob Data Owner",
        ["2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"] = "Storage Blob Data Reader",
        ["974c5e8b-45b9-4653-ba55-5f855dd0fb88"] = "Storage Queue Data Contributor",
        ["19e7f393-937e-4f77-808e-94535e297925"] = "Storage Queue Data Reader",
    };

    public static TheoryData<string> All => Deployments.All;

    [Theory]
    [MemberData(nameof(All))]
    public async Task Nothing_opens_with_a_shared_key(string name)
    {
        var deployed = await deployments.GetAsync(name);
        var storage = deployed.One(Account)["properties"]!;
        Assert.False(storage["allowSharedKeyAccess"]!.GetValue<bool>());
        Assert.False(storage["allowBlobPublicAccess"]!.GetValue<bool>());
        Assert.Equal("TLS1_2", storage["minimumTlsVersion"]!.GetValue<string>());
        Assert.All(deployed.Of($"{Account}/blobServices/containers"),
            container => Assert.Equal("None", container["properties"]!["publicAccess"]!.GetValue<string>()));
        Assert.All(deployed.Of("Microsoft.ServiceBus/namespaces"), bus => Assert.True(bus["properties"]!["disableLocalAuth"]!.GetValue<bool>()));
        Assert.True(deployed.One("Microsoft.Insights/components")["properties"]!["DisableLocalAuth"]!.GetValue<bool>());
        Assert.True(deployed.One("Microsoft.OperationalInsights/workspaces")["properties"]!["features"]!["disableLocalAuth"]!.GetValue<bool>());
        Assert.False(deployed.One("Microsoft.ContainerRegistry/registries")["properties"]!["adminUserEnabled"]!.GetValue<bool>());
        Assert.All(deployed.Of("Microsoft.Web/sites/basicPublishingCredentialsPolicies"),
            policy => Assert.False(policy["properties"]!["allow"]!.GetValue<bool>()));
        Assert.Equal(2 * deployed.Of("Microsoft.Web/sites").Count(), deployed.Of("Microsoft.Web/sites/basicPublishingCredentialsPolicies").Count());
        var vault = deployed.One("Microsoft.KeyVault/vaults")["properties"]!;
        Assert.True(vault["enableRbacAuthorization"]!.GetValue<bool>() && vault["enablePurgeProtection"]!.GetValue<bool>());
        Assert.DoesNotMatch("(?i)list[A-Za-z]*(keys|sas|secrets|credentials)[A-Za-z]*\\(|\"sharedKey\"|AccountKey=", deployed.Text);
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task No_output_is_a_secret(string name)
    {
        var deployed = await deployments.GetAsync(name);
        Assert.NotEmpty(deployed.Outputs);
        Assert.All(deployed.Outputs, output => Assert.DoesNotMatch("(?i)connectionstring|password|webhook|secret[^s]", output.Value));
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task Roles_are_known_and_owners_are_few(string name)
    {
        var deployed = await deployments.GetAsync(name);
        JsonNode[] all = [.. deployed.Of(Assignment)];
        Assert.NotEmpty(all);
        foreach (var one in all)
        {
            var role = Roles[one["properties"]!["roleDefinitionId"]!.GetValue<string>().Split('/')[^1]];
            var scope = one["id"]!.GetValue<string>().Split("/providers/Microsoft.Authorization", StringSplitOptions.None)[0];
            var who = one["properties"]!["principalId"]!.GetValue<string>();
            // A site pulls with its own identity, that of the gateway.
            if (role == "AcrPull") Assert.Matches("principals.value.platform|id-gateway-", who);
            Assert.Contains("/providers/", scope, StringComparison.Ordinal); // never a whole group or subscription
            if (scope.Contains("Microsoft.ServiceBus", StringComparison.Ordinal)) Assert.Contains("/queues/", scope, StringComparison.Ordinal);
            if (role == "Azure Service Bus Data Owner") Assert.Contains(".principals.value.platform", who, StringComparison.Ordinal);
            if (role == "Storage Blob Data Owner") Assert.Contains(".principals.value.gateway", who, StringComparison.Ordinal);
            if (who.Contains(".principals.value.platform", StringComparison.Ordinal))
                Assert.Contains(role, (string[])["AcrPull", "Azure Service Bus Data Owner", "Storage Queue Data Reader"]);
        }

        Assert.Equal(all.Length, all.Select(one => one["name"]!.GetValue<string>()).Distinct().Count());
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task Containers_get_no_tokens_of_the_identity_that_pulls_and_scales(string name)
    {
        var deployed = await deployments.GetAsync(name);
        Assert.All(deployed.Of("Microsoft.Web/sites"),
            site => Assert.DoesNotContain("id-platform-", site["identity"]!.ToJsonString(), StringComparison.Ordinal));
        Assert.NotEmpty(deployed.Of("Microsoft.App/containerApps"));
        foreach (var app in deployed.Of("Microsoft.App/containerApps"))
        {
            string[] hidden =
                [.. app["properties"]!["configuration"]!["identitySettings"]!.AsArray().Where(one => one!["lifecycle"]!.GetValue<string>() == "None")
                    .Select(one => one!["identity"]!.GetValue<string>())];
            Assert.Contains("id-platform-", Assert.Single(hidden), StringComparison.Ordinal);
            Assert.Equal(hidden[0], app["properties"]!["configuration"]!["registries"]![0]!["identity"]!.GetValue<string>());
        }
    }

    [Fact]
    public async Task Alerts_watch_what_the_code_measures()
    {
        var instruments =
            string.Concat(
                RepositoryFiles.Sources()
                .Where(file => file.EndsWith("Instruments.cs", StringComparison.Ordinal) || file.EndsWith("Gauges.cs", StringComparison.Ordinal))
                .Select(File.ReadAllText));
        string[] queries =
            [.. (await deployments.GetAsync("prod")).Of("Microsoft.Insights/scheduledQueryRules")
                .Select(rule => rule["properties"]!["criteria"]!["allOf"]![0]!["query"]!.GetValue<string>())];
        string[] watched = [.. queries.Select(query => query.Split('"')[1])];
        Assert.All(watched, metric => Assert.Contains($"\"{metric}\"", instruments, StringComparison.Ordinal));
        Assert.All((string[])["dead_letters", "queue_oldest_age", "oom_error"], metric => Assert.Contains(metric, watched));
    }
}
