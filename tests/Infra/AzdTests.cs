using System.CommandLine;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using R1Serverless.Commands;

namespace R1Serverless.Tests.Infra;

/// <summary>azure.yaml and the parameter files against the templates, the images and the code.</summary>
public sealed class AzdTests(Deployments deployments)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);
    private static readonly Regex Variable = new("\\$\\{(?<name>[A-Z0-9_]+)[:}]", RegexOptions.ExplicitCapture, Limit);
    private static readonly Regex Read = new("readEnvironmentVariable\\('(?<name>[A-Z0-9_]+)'", RegexOptions.ExplicitCapture, Limit);

    private static ComposeFile Azd { get; } = new(RepositoryFiles.Path("azure.yaml"));

    [Fact]
    public void Each_service_is_built_from_an_image_file_and_deployed_by_a_template_of_its_name()
    {
        string[] services = [.. Azd.Below("services")];
        Assert.Equal(["gateway", "gateway-premium", "worker"], services.Order());
        foreach (var service in services)
        {
            string file = Azd[$"services/{service}/docker/path"], host = Azd[$"services/{service}/host"];
            Assert.True(File.Exists(RepositoryFiles.Path(file)), file);
            Assert.Equal(".", Azd[$"services/{service}/docker/context"]); // of the service's folder, which is the repository
            Assert.Equal(".", Azd[$"services/{service}/project"]);
            Assert.Equal("true", Azd[$"services/{service}/docker/remoteBuild"]);
            Assert.Equal(service == "gateway-premium" ? "function" : "containerapp", host);
            if (host == "containerapp")
                Assert.True(
                    File.Exists(RepositoryFiles.Path("infra", $"{service}.bicep"))
                    && File.Exists(RepositoryFiles.Path("infra", $"{service}.bicepparam")), service);
            var text = File.ReadAllText(RepositoryFiles.Path(file));
            Assert.All(Azd.List($"services/{service}/docker/buildArgs"),
                argument => Assert.Contains($"\nARG {argument.Split('=')[0]}=", $"\n{text}", StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData("dev", "gateway", "worker")]
    [InlineData("premium", "gateway-premium", "worker")]
    public async Task It_finds_by_their_tags_what_it_deploys(string name, params string[] services)
    {
        var deployed = await deployments.GetAsync(name);
        JsonNode[] tagged = [.. deployed.Resources.Where(one => one["tags"]?["azd-service-name"] is not null)];
        Assert.Equal(services.Order(), tagged.Select(one => one["tags"]!["azd-service-name"]!.GetValue<string>()).Order());
        Assert.All(tagged, one => Assert.Equal(BicepTool.Environment["AZURE_ENV_NAME"], one["tags"]!["azd-env-name"]!.GetValue<string>()));
        Assert.Equal(name == "premium" ? "\"true\"" : "\"false\"", deployed.Outputs["R1_GATEWAY_ON_PREMIUM"]);
        Assert.NotEqual(deployed.Outputs["R1_GATEWAY_ON_PREMIUM"], deployed.Outputs["R1_GATEWAY_ON_CONTAINERAPPS"]);
    }

    [Theory]
    [InlineData("dev", "false")]
    [InlineData("prod", "true")]
    public async Task The_workers_image_is_built_for_the_processor_it_runs_on(string name, string gpu)
    {
        Assert.Equal($"\"{gpu}\"", (await deployments.GetAsync(name)).Outputs["R1_WORKER_GPU"]);
        Assert.Equal(["GPU=${R1_WORKER_GPU}"], Azd.List("services/worker/docker/buildArgs"));
    }

    [Fact]
    public async Task Variables_come_from_azd_from_the_templates_or_from_the_operator_who_is_told()
    {
        var document = await File.ReadAllTextAsync(RepositoryFiles.Path("docs", "deploy.md"));
        string[] known = [.. (await deployments.GetAsync("dev")).Outputs.Keys, "AZURE_ENV_NAME", "AZURE_LOCATION", "AZURE_PRINCIPAL_ID",
            .. Azd.Below("services").Select(service => $"SERVICE_{service.ToUpperInvariant().Replace('-', '_')}_IMAGE_NAME")];
        string[] used =
        [
            .. Variable.Matches(await File.ReadAllTextAsync(RepositoryFiles.Path("azure.yaml"))).Select(match => match.Groups["name"].Value),
            .. Directory.EnumerateFiles(RepositoryFiles.Path("infra"), "*.bicepparam").SelectMany(file => Read.Matches(File.ReadAllText(file)))
                .Select(match => match.Groups["name"].Value),
        ];
        Assert.True(used.Distinct().Count() > 8, string.Join(' ', used));
        Assert.All(used.Distinct().Except(known), name => Assert.Contains($"`{name}`", document, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("hooks/postdeploy/run")]
    [InlineData("hooks/postdeploy/windows/run")]
    public void The_first_key_is_made_by_our_own_command(string key)
    {
        var words = Azd[key].Split(' ');
        var at = Array.IndexOf(words, "--");
        Assert.True(Directory.Exists(RepositoryFiles.Path(words[Array.IndexOf(words, "--project") + 1])));
        Assert.Equal("keys", words[at + 1]);
        Assert.Empty(KeysCommand.Create().Parse(words[(at + 2)..]).Errors);
        Assert.Contains("--if-missing", words);
    }
}
