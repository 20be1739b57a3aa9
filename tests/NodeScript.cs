using System.Diagnostics;
using System.Text.Json;

namespace R1Serverless.Tests;

/// <summary>A script of <c>tests/sdk</c>, which uses a client for Node and says what it saw as one JSON object.</summary>
internal static class NodeScript
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    public static async Task<JsonElement> RunAsync(string name, params string[] arguments)
    {
        Assert.True(Path.Exists(RepositoryFiles.Path("tests", "sdk", "node_modules")),
            "The clients for Node are not installed: run tests/run, or npm ci --prefix tests/sdk.");
        ProcessStartInfo start = new("node", [RepositoryFiles.Path("tests", "sdk", name), .. arguments])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var node = Process.Start(start)!;
        Task<string> output = node.StandardOutput.ReadToEndAsync(), errors = node.StandardError.ReadToEndAsync();
        try
        {
            await node.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(Patience, TestContext.Current.CancellationToken);
        }
        finally
        {
            if (!node.HasExited) node.Kill();
        }

        Assert.True(node.ExitCode == 0, await errors);
        using var document = JsonDocument.Parse(await output);
        return document.RootElement.Clone();
    }
}
