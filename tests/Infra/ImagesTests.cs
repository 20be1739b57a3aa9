using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using R1Serverless.Commands;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.ModelLoading;
using R1Serverless.Serving;

namespace R1Serverless.Tests.Infra;

/// <summary>What can be said of the container images without an engine that builds them.</summary>
public sealed class ImagesTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    public static TheoryData<string, string> Builds =>
        new() { { "gateway.Dockerfile", "true" }, { "worker.Dockerfile", "true" }, { "worker.Dockerfile", "false" } };

    [Theory]
    [MemberData(nameof(Builds))]
    public void What_is_copied_exists_and_reaches_the_build(string name, string gpu)
    {
        var file = Dockerfile.Read(name, ("GPU", gpu));
        DockerIgnore ignored = new();
        Assert.NotEmpty(file.Sources);
        foreach (var source in file.Sources)
        {
            Assert.True(Path.Exists(RepositoryFiles.Path(source)), source);
            Assert.True(ignored.LetsThrough(source), source);
        }

        // MSBuild takes them from here, whoever asks.
        string[] imported =
            [.. Directory.GetFiles(RepositoryFiles.Root).Select(one => Path.GetFileName(one))
                .Where(one => one.StartsWith("Directory.", StringComparison.Ordinal)
                || one is "global.json" or "host.json" or ".editorconfig" or "BannedSymbols.txt"
                || one.Equals("nuget.config", StringComparison.OrdinalIgnoreCase))];
        Assert.Empty(imported.Except(file.Sources));
        string[] needed = ["core/Abstractions/RequestId.cs", "functions/Program.cs", "models/r1-nano/model.safetensors",
            "models/r1-nano/tokenizer.json", "models/r1-nano/evaluation.jsonl"];
        Assert.All(needed, path => Assert.True(File.Exists(RepositoryFiles.Path(path)) && ignored.LetsThrough(path), path));
        string[] useless = [".git/config", "tests/Program.cs", "docs/operate.md", "core/bin/Release/x.dll", "functions/obj/project.assets.json",
            "models/r1-nano/recipe/train.py", "functions/local.settings.json"];
        Assert.All(useless, path => Assert.False(ignored.LetsThrough(path), path));
    }

    [Theory]
    [MemberData(nameof(Builds))]
    public void Stages_are_there_before_they_are_used_and_images_have_versions(string name, string gpu)
    {
        var file = Dockerfile.Read(name, ("GPU", gpu));
        HashSet<string> known = new(StringComparer.Ordinal);
        foreach (var (image, stage) in file.Stages)
        {
            if (!known.Contains(image)) Assert.Matches("^[a-z0-9./-]+:[0-9][A-Za-z0-9._-]*$", image);
            if (stage is not null) Assert.True(known.Add(stage), stage);
        }

        Assert.All(file.Copies.Where(copy => copy.From is not null), copy => Assert.Contains(copy.From!, known));
        Assert.Contains(file.Stages.Last().Base, gpu == "false" ? ["runtime-false"] : known.Append(file.Stages.Last().Base));
    }

    [Theory]
    [MemberData(nameof(Builds))]
    public void The_sdk_is_one_that_global_json_takes(string name, string gpu)
    {
        using var wanted = JsonDocument.Parse(File.ReadAllText(RepositoryFiles.Path("global.json")));
        var sdk = wanted.RootElement.GetProperty("sdk");
        Assert.Equal("latestFeature", sdk.GetProperty("rollForward").GetString());
        var least = Version.Parse(sdk.GetProperty("version").GetString()!);
        var image = Dockerfile.Read(name, ("GPU", gpu)).Stages.First().Base;
        var taken = Version.Parse(Regex.Match(image, "/sdk:(?<version>[0-9.]+)-", RegexOptions.ExplicitCapture, Limit).Groups["version"].Value);
        Assert.Equal((least.Major, least.Minor), (taken.Major, taken.Minor));
        Assert.True(taken >= least, image);
    }

    [Theory]
    [MemberData(nameof(Builds))]
    public void Nothing_runs_as_root_and_health_is_asked_with_our_own_tool(string name, string gpu)
    {
        var file = Dockerfile.Read(name, ("GPU", gpu));
        Assert.True(int.Parse(file.Single("USER"), CultureInfo.InvariantCulture) > 0);
        Assert.Equal("USER", file.Last.Last(one => one.Name is "USER" or "RUN" or "COPY").Name);
        var check = Dockerfile.Words(file.Single("HEALTHCHECK"));
        Assert.Equal(Executable(file), check[0]);
        Assert.Equal("health", check[1]);
        Assert.Empty(HealthCommand.Create().Parse(check[2..]).Errors);
    }

    [Theory]
    [MemberData(nameof(Builds))]
    public void What_is_published_is_what_the_projects_know(string name, string gpu)
    {
        var file = Dockerfile.Read(name, ("GPU", gpu));
        var publish = Assert.Single(file.Instructions, one => one.Name == "RUN" && one.Text.Contains("dotnet publish ", StringComparison.Ordinal))
            .Text;
        var run = publish[publish.IndexOf("dotnet ", StringComparison.Ordinal)..];
        Assert.True(File.Exists(RepositoryFiles.Path(run.Split(' ')[2])), run);
        if (name != "worker.Dockerfile") return;
        Assert.Contains($"-p:Gpu={gpu}", Options(run));
        Assert.Contains("'$(Gpu)' == 'true'", File.ReadAllText(RepositoryFiles.Path("core", "Engine", "R1Serverless.Engine.csproj")),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("true")]
    [InlineData("false")]
    public void The_worker_is_started_as_our_command_line_says_and_finds_its_model_built(string gpu)
    {
        var file = Dockerfile.Read("worker.Dockerfile", ("GPU", gpu));
        Assert.Equal([Executable(file)], Dockerfile.Words(file.Single("ENTRYPOINT")));
        var started = Dockerfile.Words(file.Single("CMD"));
        Assert.Equal("serve", started[0]);
        var served = ServeCommand.Create(LocalModels.LoadAsync).Parse(started[1..]);
        Assert.Empty(served.Errors);
        Assert.Equal(RoleName.Of(ServeRole.Worker), served.GetValue<string>("--role"));
        var build = Expanded(file.Instructions.Single(one => one.Text.Contains(" model build ", StringComparison.Ordinal)).Text);
        var built = ModelCommand.Create().Parse(build[2..]);
        Assert.Empty(built.Errors);
        Assert.Equal(gpu == "true", built.GetValue<bool>("--no-prepare"));
        Assert.Equal(ShippedModels.Precisions.Order(), CommonOptions.ParsePrecisions(built.GetValue<string[]>("--precision")!).Order());
        var data = file.Copies.Single(copy => copy.From is not null && copy.Sources[0] == built.GetValue<string>("--data"));
        Assert.Equal(data.Target, served.GetValue<string>("--data"));
        Assert.Equal(file.Single("EXPOSE"), BindingPort(ListenAddresses.Default));
    }

    [Fact]
    public void The_gateway_is_where_the_host_looks_for_it()
    {
        var file = Dockerfile.Read("gateway.Dockerfile");
        Assert.Equal(file.Environment["AzureWebJobsScriptRoot"], file.Copies.Single(copy => copy.From == "build").Target);
        Assert.Equal(file.Single("EXPOSE"), BindingPort(HealthCommand.Local(file.Environment["ASPNETCORE_URLS"])));
    }

    [Fact]
    public void Compose_runs_these_images_on_loopback_only_against_the_azurite_of_the_tests()
    {
        ComposeFile file = new(RepositoryFiles.Path("infra", "compose.yaml"));
        string[] services = [.. file.Below("services")];
        Assert.Equal(["azurite", "gateway", "worker"], services.Order());
        using var azurite = JsonDocument.Parse(File.ReadAllText(RepositoryFiles.Path("tests", "azurite", "package.json")));
        Assert.EndsWith($":{azurite.RootElement.GetProperty("dependencies").GetProperty("azurite").GetString()}", file["services/azurite/image"],
            StringComparison.Ordinal);
        Assert.All(services.SelectMany(one => file.List($"services/{one}/ports")),
            port => Assert.StartsWith("127.0.0.1:", port, StringComparison.Ordinal));
        Assert.Equal([$"127.0.0.1:{BindingPort(ListenAddresses.Default)}:{Dockerfile.Read("gateway.Dockerfile").Single("EXPOSE")}"],
            file.List("services/gateway/ports"));
        Assert.All(services.SelectMany(one => file.List($"services/{one}/volumes")),
            volume => Assert.Contains(volume.Split(':')[0], file.Below("volumes")));
        foreach (var one in (string[])["gateway", "worker"])
        {
            Assert.Equal(RepositoryFiles.Root, Path.GetFullPath(RepositoryFiles.Path("infra", file[$"services/{one}/build/context"])));
            Assert.Equal($"infra/{one}.Dockerfile", file[$"services/{one}/build/dockerfile"]);
            Assert.Equal("service_healthy", file[$"services/{one}/depends_on/azurite/condition"]);
            Assert.Equal(TransportKind.Storage, TransportOptions.Parse(file[$"services/{one}/environment/{TransportOptions.KindVariable}"]));
            Assert.Contains("=http://azurite", file[$"services/{one}/environment/{TransportOptions.StorageVariable}"], StringComparison.Ordinal);
        }

        Assert.NotNull(file.Find("services/azurite/healthcheck/test"));
        Assert.True(
            int.Parse(file["services/worker/stop_grace_period"].TrimEnd('s'), CultureInfo.InvariantCulture) > new ServeOptions().Grace.TotalSeconds);
        var dockerArguments = file["services/worker/build/args/GPU"];
        Assert.Equal("runtime-false", Dockerfile.Read("worker.Dockerfile", ("GPU", dockerArguments)).Stages.Last().Base);
    }

    [Fact]
    public void Every_variable_of_ours_that_the_images_set_is_read_by_the_code()
    {
        ComposeFile compose = new(RepositoryFiles.Path("infra", "compose.yaml"));
        string[] set =
        [
            .. compose.Below("services").SelectMany(one => compose.Below($"services/{one}/environment")),
            .. Builds.SelectMany(build => Dockerfile.Read(build.Data.Item1, ("GPU", build.Data.Item2)).Environment.Keys),
        ];
        var sources =
            string.Concat(Directory.EnumerateFiles(RepositoryFiles.Path("functions"), "*.cs", SearchOption.AllDirectories).Select(File.ReadAllText));
        string[] ours = [.. set.Where(name => name.StartsWith("R1_", StringComparison.Ordinal)).Distinct()];
        Assert.NotEmpty(ours);
        Assert.All(ours, name => Assert.Contains($"\"{name}\"", sources, StringComparison.Ordinal));
    }

    /// <summary>The words that a shell makes of a line.</summary>
    private static string[] Expanded(string line)
    {
        ProcessStartInfo start = new("sh") { UseShellExecute = false, RedirectStandardOutput = true };
        foreach (var one in (string[])["-c", $"echo {line}"]) start.ArgumentList.Add(one);
        using var shell = Process.Start(start)!;
        return shell.StandardOutput.ReadToEnd().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
    }

    private static string[] Options(string run) =>
        [.. run.Split(' ').SkipWhile(word => word != "-r").TakeWhile(word => word != "-o")
            .Where(word => word is not "--no-restore" and not "-c" and not "Release")];

    // What COPY brings there, under the assembly's name.
    private static string Executable(Dockerfile file)
    {
        var name = XDocument.Load(RepositoryFiles.Path("functions", "R1Serverless.Functions.csproj")).Descendants("AssemblyName").Single().Value;
        return $"{file.Copies.Single(copy => copy is { From: "build", Sources: ["/publish"] }).Target}/{name}";
    }

    private static string BindingPort(string address) => new Uri(address).Port.ToString(CultureInfo.InvariantCulture);
}
