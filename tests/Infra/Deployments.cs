using R1Serverless.Tests.Infra;

[assembly: AssemblyFixture(typeof(Deployments))]

namespace R1Serverless.Tests.Infra;

/// <summary>A copy of infra, compiled, and what different settings would deploy: once for all tests that look at it, since each run of the compiler
/// takes seconds.</summary>
public sealed class Deployments : IDisposable
{
    private static readonly Dictionary<string, string> Settings = new(StringComparer.Ordinal)
    {
        ["dev"] = "dev",
        ["prod"] = "prod",
        ["premium"] = "{ ...prod, gatewayHome: 'premium', gateway: { ...prod.gateway, webhookHosts: ['hooks.example.com'] } }",
        // What the others have not, and all that is optional.
        ["full"] = "{ ...dev, gpu: 'A100', mails: ['ops@example.com']"
            + ", worker: { ...dev.worker, models: 'repository', costPerHour: '3.5', graceSeconds: 585, arguments: ['--model', 'r1-nano', "
            + "'--kv-memory', '8GB'] }"
            + ", gateway: { ...dev.gateway, webhookHosts: ['hooks.example.com', '*.example.org'], entraTenant: "
            + "'72f988bf-86f1-41af-91ab-2d7cd011db47', entraAudience: 'api://r1' } }",
    };

    private readonly SemaphoreSlim _one = new(1);
    private readonly Dictionary<string, Task<Deployment>> _known = new(StringComparer.Ordinal);
    private string? _folder;

    /// <summary>The names of the settings.</summary>
    public static TheoryData<string> All => [.. Settings.Keys];

    /// <summary>What the settings of this name would deploy.</summary>
    public async Task<Deployment> GetAsync(string name)
    {
        await _one.WaitAsync();
        try
        {
            // A failure stays one: it would take as long again.
            if (!_known.TryGetValue(name, out var known)) _known[name] = known = PredictAsync(name);
            return await known;
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>Where a copy of infra is, and nothing else that would be compiled.</summary>
    public string Copy()
    {
        var folder = Directory.CreateTempSubdirectory("r1-infra-").FullName;
        foreach (var file in Directory.EnumerateFiles(RepositoryFiles.Path("infra"), "*.bicep*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(folder, Path.GetRelativePath(RepositoryFiles.Path("infra"), file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        return folder;
    }

    public void Dispose()
    {
        if (_folder is not null) Directory.Delete(_folder, recursive: true);
        _one.Dispose();
    }

    private async Task<Deployment> PredictAsync(string name)
    {
        var parameters = Path.Combine(_folder ??= Copy(), $"variant-{name}.bicepparam");
        var main = await File.ReadAllTextAsync(RepositoryFiles.Path("infra", "main.bicepparam"));
        var said = main.Split('\n').Single(line => line.StartsWith("param settings = ", StringComparison.Ordinal));
        await File.WriteAllTextAsync(parameters,
            main.Replace(said, $"var both = [dev, prod]\nparam settings = length(both) == 2 ? {Settings[name]} : dev", StringComparison.Ordinal));
        var (code, complaints, _) = await BicepTool.SnapshotAsync(parameters, overwrite: true);
        Assert.True(code == 0, complaints);
        return new Deployment(await File.ReadAllTextAsync(Path.ChangeExtension(parameters, ".snapshot.json")));
    }
}
