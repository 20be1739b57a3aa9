using System.Diagnostics;
using System.Reflection;

namespace R1Serverless.Tests.Infra;

/// <summary>The Bicep compiler that came with the tests' packages. It needs no network.</summary>
internal static class BicepTool
{
    private const string Subscription = "00000000-0000-0000-0000-000000000001", Tenant = "00000000-0000-0000-0000-000000000002";

    // A cold start of the compiler on a machine that does much else.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    /// <summary>What azd, or who goes without it, sets: all that parameter files read.</summary>
    public static IReadOnlyDictionary<string, string> Environment { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["AZURE_ENV_NAME"] = "golden",
        ["AZURE_LOCATION"] = "swedencentral",
        ["AZURE_PRINCIPAL_ID"] = "00000000-0000-0000-0000-000000000003",
        ["R1_BUDGET_START"] = "2026-12-01",
        ["R1_GATEWAY_IMAGE"] = "registry.example.com/gateway:golden",
        ["R1_WORKER_IMAGE"] = "registry.example.com/worker:golden",
        ["SERVICE_GATEWAY_IMAGE_NAME"] = "registry.example.com/gateway:golden",
        ["SERVICE_WORKER_IMAGE_NAME"] = "registry.example.com/worker:golden",
    };

    /// <summary>Runs it in a folder.</summary>
    /// <returns>Its exit code, and all that it said: nothing where all is well.</returns>
    public static async Task<(int Code, string Said, string Output)> RunAsync(string folder, params string[] arguments)
    {
        var path = typeof(BicepTool).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(one => one.Key == "Bicep").Value!;
        ProcessStartInfo start =
            new(path, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false, WorkingDirectory = folder };
        foreach (var inherited in start.Environment.Keys.Where(
            name => name.StartsWith("R1_", StringComparison.Ordinal) || name.StartsWith("AZURE_", StringComparison.Ordinal)).ToArray())
            start.Environment.Remove(inherited);
        foreach (var (name, value) in Environment) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        using CancellationTokenSource limit = new(Patience);
        Task<string> output = process.StandardOutput.ReadToEndAsync(limit.Token), said = process.StandardError.ReadToEndAsync(limit.Token);
        await process.WaitForExitAsync(limit.Token);
        return (process.ExitCode, await said, await output);
    }

    /// <summary>What a parameter file would deploy, compared with the snapshot beside it or written there.</summary>
    public static async Task<(int Code, string Said, string Output)> SnapshotAsync(string parameters, bool overwrite)
    {
        var isGroup = !(await File.ReadAllTextAsync(parameters)).Contains("using 'main.bicep'", StringComparison.Ordinal);
        string[] scope = isGroup ? ["--resource-group", "rg-golden"] : ["--location", "swedencentral"];
        return await RunAsync(Path.GetDirectoryName(parameters)!,
            ["snapshot", parameters, "--mode", overwrite ? "overwrite" : "validate", "--subscription-id", Subscription, "--tenant-id", Tenant,
            .. scope]);
    }
}
