using System.Text.Json;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.Tests.Commands;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>`bench precision` in a process of its own, on r1-nano.</summary>
public sealed class PrecisionCommandTests : IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory("r1-precision-").FullName;

    [Fact]
    public async Task It_measures_a_variant_and_the_memory()
    {
        var (code, output, errors) = await RunAsync("--model", ShippedModels.Nano, "--precision", "fp32", "--rows", "2", "--rounds", "1", "--json");
        Assert.True(code == 0, errors);
        var report = JsonDocument.Parse(output).RootElement;
        Assert.True(report.GetProperty("Bandwidth").GetDouble() > 0);
        var variant = report.GetProperty("Variants")[0];
        Assert.Equal("Fp32", variant.GetProperty("Precision").GetString());
        Assert.True(variant.GetProperty("LoadSeconds").GetDouble() > 0);
        Assert.True(variant.GetProperty("MemoryBytes").GetInt64() > 1_000_000);
        var rates = variant.GetProperty("Rates");
        Assert.Equal([1, 2], rates.EnumerateArray().Select(r => r.GetProperty("Rows").GetInt32()));
        Assert.All(rates.EnumerateArray(), r => Assert.True(r.GetProperty("TokensPerSecond").GetDouble() > 0));
        Assert.True(rates[0].GetProperty("OfBandwidth").GetDouble() > 0);
        Assert.True(rates[0].GetProperty("EngineShare").GetDouble() > 0);
        Assert.True(rates[1].GetProperty("OverOne").GetDouble() > 0);
    }

    [Theory]
    [InlineData("'typo'", "--model", "typo")]
    [InlineData("--rows: 'x'", "--rows", "8,x")]
    [InlineData("--rows: '0'", "--rows", "0")]
    [InlineData("--precision: 'int2'", "--precision", "int2")]
    public async Task Wrong_words_are_said_in_one_line(string words, params string[] options)
    {
        var (code, output, errors) = await RunAsync(options);
        Assert.Equal(1, code);
        // What it does is said once that takes a second.
        Assert.Matches("^(Preparing typo)?$", output.Trim());
        Assert.Contains(words, errors, StringComparison.Ordinal);
        Assert.Single(errors.Trim().Split('\n'));
    }

    public void Dispose() => Directory.Delete(_data, recursive: true);

    private async Task<(int Code, string Output, string Errors)> RunAsync(params string[] options)
    {
        string[] arguments = [Path.Combine(AppContext.BaseDirectory, "R1Serverless.Tests.dll"), BenchmarkCommands.Name, "precision", "--data", _data,
            .. options];
        return await DeviceTests.RunAsync("dotnet", arguments);
    }
}
