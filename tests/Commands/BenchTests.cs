using System.Text.Json;
using R1Serverless.Bench;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.Tests.EndToEnd;

namespace R1Serverless.Tests.Commands;

/// <summary>`r1 bench` and `r1 bench serve` on r1-nano.</summary>
public sealed class BenchTests : IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory("r1-bench-").FullName;

    [Fact]
    public async Task The_engine_is_measured_beside_the_bare_loop()
    {
        var report = await MeasureAsync(
            "--data", _data, "--precision", "int8", "--clients", "1", "--clients", "2", "--rounds", "1", "--prompt", "8", "--tokens", "16");
        Assert.Equal((ShippedModels.Nano, "int8 on cpu"), (report.Model, report.Where));
        Assert.Equal([1, 2], report.Rows.Select(row => row.Clients));
        Assert.All(
            report.Rows, row => Assert.True(row is { FirstToken.P50: > 0, Gap.P99: > 0, TokensPerSecond: > 0, Raw: > 0, OfRaw: > 0 }, $"{row}"));
    }

    [Fact]
    public async Task A_server_is_measured_over_its_api()
    {
        await using var server = await ServeProcess.StartAsync();
        var url = $"{server.Client.BaseAddress}v1";
        var report = await MeasureAsync("serve", url, "--clients", "2", "--requests", "2", "--prompt", "8", "--tokens", "16", "--ignore-eos");
        Assert.Equal((ShippedModels.Nano, url), (report.Model, report.Where));
        var row = Assert.Single(report.Rows);
        Assert.True(row is { Clients: 2, FirstToken.P50: > 0, TokensPerSecond: > 0, Raw: null, OfRaw: null }, $"{row}");

        var (code, _, errors) = await ModelCommandTests.RunAsync("bench", "serve", url, "--model", "typo");
        Assert.Equal(1, code);
        Assert.StartsWith("error: ", errors);
        Assert.Contains("typo", errors);
    }

    [Theory]
    [InlineData("error: there is no model 'typo' in ", "--model", "typo")]
    [InlineData("error: 4000 tokens of prompt and 128 of output don't fit into the ", "--prompt", "4000")]
    public async Task Wrong_words_are_said_in_one_line(string words, params string[] options)
    {
        var (code, _, errors) = await ModelCommandTests.RunAsync(["bench", "--data", _data, .. options]);
        Assert.Equal(1, code);
        Assert.StartsWith(words, errors.Trim().Split('\n')[^1], StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_data, recursive: true);

    private static async Task<BenchReport> MeasureAsync(params string[] options)
    {
        var (code, output, errors) = await ModelCommandTests.RunAsync(["bench", .. options, "--json"]);
        Assert.True(code == 0, errors);
        return JsonSerializer.Deserialize(output, BenchJson.Default.BenchReport)!;
    }
}
