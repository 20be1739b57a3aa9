using System.Text.Json.Nodes;

namespace R1Serverless.Tests.Infra;

/// <summary>The templates compile without a word, the linter's included, are short, and would deploy what was looked at when it was committed.</summary>
public sealed class BicepTests(Deployments deployments)
{
    private const string UpdateVariable = "R1_UPDATE_SNAPSHOTS";

    private static readonly string Folder = RepositoryFiles.Path("infra");

    public static TheoryData<string> Files => [.. Find("*.bicep"), .. Find("*.bicepparam")];

    public static TheoryData<string> ParameterFiles => [.. Find("*.bicepparam")];

    [Fact]
    public async Task Templates_build_without_a_word_and_hand_out_no_secret()
    {
        var folder = deployments.Copy();
        try
        {
            await SaysNothingAsync(folder, "build", "--pattern", "**/*.bicep");
            string[] templates =
                [.. Directory.EnumerateFiles(folder, "*.json", SearchOption.AllDirectories)
                    .Where(file => Path.GetFileName(file) != "bicepconfig.json")];
            Assert.Equal(Find("*.bicep").Count(), templates.Length);
            foreach (var template in templates)
            {
                foreach (var outputs in Below(JsonNode.Parse(await File.ReadAllTextAsync(template))!, "outputs").OfType<JsonObject>())
                    Assert.DoesNotMatch("(?i)secure(string|object)|connectionString|instrumentationKey|list[A-Za-z]*\\(", outputs.ToJsonString());
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task Parameter_files_build_without_a_word()
    {
        var folder = deployments.Copy();
        try
        {
            await SaysNothingAsync(folder, "build-params", "--pattern", "**/*.bicepparam");
            Assert.All(Find("*.bicepparam"), file => Assert.True(File.Exists(Path.Combine(folder, Path.ChangeExtension(file, ".json"))), file));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void It_is_short(string file) => Assert.InRange(File.ReadAllLines(Path.Combine(Folder, file)).Length, 1, 150);

    [Theory]
    [MemberData(nameof(ParameterFiles))]
    public async Task What_it_deploys_is_what_was_committed(string file)
    {
        var update = Environment.GetEnvironmentVariable(UpdateVariable) == "1";
        Assert.True(update || File.Exists(Path.Combine(Folder, Path.ChangeExtension(file, ".snapshot.json"))),
            $"{file} has no snapshot: {UpdateVariable}=1 writes it.");
        var (code, said, output) = await BicepTool.SnapshotAsync(Path.Combine(Folder, file), update);
        Assert.True(code == 0,
            $"{file} would deploy something else than its snapshot says. If that is meant, run this test with {UpdateVariable}=1 and look at the "
            + $"difference.\n{said}{output}");
    }

    [Fact]
    public void Every_snapshot_belongs_to_a_parameter_file() =>
        Assert.Equal(Find("*.bicepparam").Select(file => Path.ChangeExtension(file, ".snapshot.json")).Order(), Find("*.snapshot.json").Order());

    private static async Task SaysNothingAsync(string folder, params string[] arguments)
    {
        var (code, said, output) = await BicepTool.RunAsync(folder, arguments);
        Assert.Equal((0, "", ""), (code, said.Trim(), output.Trim()));
    }

    private static IEnumerable<string> Find(string pattern) =>
        Directory.EnumerateFiles(Folder, pattern, SearchOption.AllDirectories).Select(path => Path.GetRelativePath(Folder, path))
            .Order(StringComparer.Ordinal);

    private static IEnumerable<JsonNode?> Below(JsonNode node, string name) => node switch
    {
        JsonObject all =>
            all.SelectMany(one => one.Value is null ? [] : one.Key == name ? Below(one.Value, name).Append(one.Value) : Below(one.Value, name)),
        JsonArray all => all.SelectMany(one => one is null ? [] : Below(one, name)),
        _ => [],
    };
}
