using System.Text.Json;
using R1Serverless.Bench;

namespace R1Serverless.Tests.Commands;

/// <summary>`r1 bench gpu` on the processor: the checks themselves, down to what only CUDA has.</summary>
public sealed class BenchGpuTests
{
    [Fact]
    public async Task Every_check_is_run_and_holds_on_the_processor()
    {
        string data = Directory.CreateTempSubdirectory("r1-gpu-").FullName, file = Path.Combine(data, "gpu.json");
        try
        {
            var (code, output, errors) = await DeviceTests.RunAsync(
                "dotnet", Path.Combine(AppContext.BaseDirectory, "r1.dll"), "bench", "gpu", "--device", "cpu", "--quick", "--output", file, "--data",
                data);
            Assert.True(code == 0, output + errors);
            var report = JsonSerializer.Deserialize(await File.ReadAllTextAsync(file), BenchJson.Default.GpuReport)!;
            Assert.True(report.IsComplete);
            // ONNX Runtime writes its profiles where it is told, and they go.
            Assert.Empty(Directory.EnumerateFiles(Environment.CurrentDirectory, "onnxruntime_profile*"));
            Assert.Equal("cpu", report.Device);
            Assert.True(report.Bandwidth > 0);
            string[] variants = ["fp32", "fp16", "int8", "int4", "fp16+kv8"];
            GpuPart[] onCudaOnly = [GpuPart.Graphs, GpuPart.Tf32, GpuPart.Memory], ofTheModel = [GpuPart.Memory];
            foreach (var part in Enum.GetValues<GpuPart>())
            {
                GpuCheck[] checks = [.. report.Checks.Where(check => check.Part == part)];
                Assert.Equal(ofTheModel.Contains(part) ? ["fp16"] : part == GpuPart.Tf32 ? ["fp32"] : variants,
                    checks.Select(check => check.Variant));
                var expected = onCudaOnly.Contains(part) ? GpuOutcome.NotOnThisDevice : part is GpuPart.Speed ? GpuOutcome.Measured
                    : GpuOutcome.Passed;
                Assert.All(checks, check => Assert.True(check.Outcome == expected, $"{check}"));
                Assert.All(checks, check => Assert.Equal(expected != GpuOutcome.NotOnThisDevice, check.Figure is not null));
            }

            Assert.All(report.Checks.Where(check => check.Part == GpuPart.Answers), check => Assert.Equal(64, check.Figure));
            Assert.Equal(variants.SelectMany(variant => (int[])[1, 8], (variant, rows) => (variant, rows)),
                report.Speeds.Select(speed => (speed.Variant, speed.Rows)));
            Assert.All(report.Speeds, speed => Assert.True(speed is { Raw: > 0, Engine: > 0, OfRaw: > 0, OfBandwidth: > 0 }, $"{speed}"));
        }
        finally
        {
            Directory.Delete(data, recursive: true);
        }
    }

    [Fact]
    public async Task A_build_without_cuda_says_so()
    {
        var (code, _, errors) = await DeviceTests.RunAsync("dotnet", Path.Combine(AppContext.BaseDirectory, "r1.dll"), "bench", "gpu");
        Assert.Equal(1, code);
        Assert.Contains("this build of r1 has no CUDA", errors, StringComparison.Ordinal);
    }
}
