using System.Diagnostics;
using System.Text.Json;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Runtime;

namespace R1Serverless.Tests.Commands;

/// <summary>What there is to run on, and what is asked for that is not there.</summary>
public sealed class DeviceTests
{
    [Fact]
    public void Cuda_on_a_build_without_it_names_the_switch()
    {
        Assert.False(ExecutionProvider.BuiltWithCuda);
        var fault = Assert.Throws<ModelLoadException>(() => OrtSession.Open(TestModels.NanoGraph, new RuntimeOptions { Device = DeviceKind.Cuda }));
        Assert.Contains("-p:Gpu=true", fault.Message);
    }

    [Fact]
    public void Auto_falls_back_with_a_notice_and_cuda_is_refused_where_the_machine_lacks_something()
    {
        var fallen = ExecutionProvider.Candidates(new RuntimeOptions(), () => true, () => "it lacks much");
        Assert.Equal([("cpu", "it lacks much: models run on the CPU.")], fallen.Select(one => (one.Name, one.Notice)));
        Assert.Equal([("cuda", null), ("cpu", null)],
            ExecutionProvider.Candidates(new RuntimeOptions(), () => true, () => null).Select(one => (one.Name, one.Notice)));
        Assert.Null(
            Assert.Single(ExecutionProvider.Candidates(new RuntimeOptions { Device = DeviceKind.Cpu }, () => true, () => "it lacks much")).Notice);
        var fault = Assert.Throws<ModelLoadException>(
            () => ExecutionProvider.Candidates(new RuntimeOptions { Device = DeviceKind.Cuda }, () => true, () => "it lacks much"));
        Assert.StartsWith("it lacks much; ", fault.Message);
    }

    [Fact]
    public void What_cuda_lacks_is_told_in_one_sentence()
    {
        Assert.Equal(
            "CUDA can't be used on this machine: the NVIDIA driver (libcuda.so.1), CUDA 13 (libcudart.so.13, libcublas.so.13, libcublasLt.so.13, "
            + "libcurand.so.10) and cuDNN 9 (libcudnn.so.9) are missing",
            CudaRequirements.Look(_ => false, () => throw new InvalidOperationException()));
        Assert.Equal("CUDA can't be used on this machine: cuDNN 9 (libcudnn.so.9) is missing",
            CudaRequirements.Look(library => library != "libcudnn.so.9", () => throw new InvalidOperationException()));
        Assert.EndsWith("CUDA 13 (libcublas.so.13) and cuDNN 9 (libcudnn.so.9) are missing",
            CudaRequirements.Look(library => library is not ("libcublas.so.13" or "libcudnn.so.9"), () => default));
        Assert.EndsWith("its NVIDIA driver is one for CUDA 12.8, and CUDA 13 needs driver 580 or a later one",
            CudaRequirements.Look(_ => true, () => new(12080, 0, 1)));
        Assert.EndsWith("the NVIDIA driver shows no GPU", CudaRequirements.Look(_ => true, () => new(13000, 100, 0)));
        Assert.EndsWith("the NVIDIA driver fails with error 999", CudaRequirements.Look(_ => true, () => new(13000, 999, 0)));
        Assert.Null(CudaRequirements.Look(_ => true, () => new(13000, 0, 1)));
    }

    [Fact]
    public void Memory_is_taken_until_there_is_as_much_as_was_asked_for_and_copied_in_it()
    {
        using DeviceMemory memory = new(TestModels.NanoGraph, new RuntimeOptions());
        Assert.Null(memory.Fill(40 << 20));
        Assert.Equal(40 << 20, memory.Bytes);
        Assert.True(memory.MeasureCopies(1 << 20) > 0);
    }

    [Theory]
    [InlineData(DeviceKind.Auto, "-p:Gpu=true")]
    [InlineData(DeviceKind.Cpu, "does not go with --device cpu")]
    public void Capture_without_cuda_is_refused_instead_of_ignored(DeviceKind device, string says)
    {
        var options = new RuntimeOptions { Device = device, Cuda = new CudaOptions { CaptureSteps = true } };
        Assert.Contains(says, Assert.Throws<ModelLoadException>(() => OrtSession.Open(TestModels.NanoGraph, options)).Message);
    }

    [Fact]
    public void Auto_is_the_cpu_where_there_is_no_cuda()
    {
        using var session = OrtSession.Open(TestModels.NanoGraph, new RuntimeOptions { Threads = 1 });
        Assert.Equal(("cpu", "CPU, 1 threads"), (session.Provider.Name, session.Provider.Description));
    }

    [Fact]
    public void Cudas_options_are_written_as_the_provider_reads_them()
    {
        var options = new CudaOptions { DeviceId = 1, MemoryLimit = 1L << 33, UseTf32 = true }.ToProviderOptions();
        Assert.Equal(
            [("arena_extend_strategy", "kSameAsRequested"), ("cudnn_conv_use_max_workspace", "0"), ("device_id", "1"), ("enable_cuda_graph", "0"),
            ("gpu_mem_limit", "8589934592"), ("use_tf32", "1")],
            options.Select(o => (o.Key, o.Value)).Order());
        Assert.DoesNotContain("gpu_mem_limit", new CudaOptions().ToProviderOptions().Keys);
        Assert.Equal("1", new CudaOptions { CaptureSteps = true }.ToProviderOptions()["enable_cuda_graph"]);
    }

    [Fact]
    public async Task The_build_switch_swaps_the_package()
    {
        var project = RepositoryFiles.Path("core", "Engine", "R1Serverless.Engine.csproj");
        var (_, cpu, _) = await RunAsync("dotnet", "msbuild", project, "-getItem:PackageReference");
        var (_, gpu, _) = await RunAsync("dotnet", "msbuild", project, "-getItem:PackageReference", "-p:Gpu=true");
        Assert.Equal(["Microsoft.ML.OnnxRuntime"], RuntimePackages(cpu));
        Assert.Equal(["Microsoft.ML.OnnxRuntime.Gpu"], RuntimePackages(gpu));
    }

    [Fact]
    public async Task Devices_tells_what_there_is()
    {
        var (code, output, _) = await RunToolAsync("devices", "--json");
        Assert.Equal(0, code);
        using var json = JsonDocument.Parse(output);
        Assert.Contains("CPUExecutionProvider", json.RootElement.GetProperty("providers").EnumerateArray().Select(p => p.GetString()));
        Assert.Equal("cpu", json.RootElement.GetProperty("default_device").GetString());
        Assert.Equal(JsonValueKind.Null, json.RootElement.GetProperty("cuda_missing").ValueKind);
        Assert.True(json.RootElement.GetProperty("cores").GetInt32() > 0);
        Assert.Equal(["fp32", "fp16", "int8", "int4"],
            json.RootElement.GetProperty("precisions").EnumerateArray().Select(p => p.GetProperty("precision").GetString()));

        var (_, table, _) = await RunToolAsync("devices");
        Assert.Contains("models run on", table);
        Assert.Contains("dotnet build -p:Gpu=true", table);
    }

    [Theory]
    [InlineData("--device", "--device", "tpu")]
    [InlineData("at least 256MB", "--gpu-memory", "1MB")]
    [InlineData("--gpu", "--gpu", "64")]
    [InlineData("--cuda-graph", "--cuda-graph")]
    public async Task Wrong_wishes_are_refused_in_words(string message, params string[] arguments)
    {
        var (code, output, errors) = await RunToolAsync(["model", "evaluate", "r1-nano", .. arguments]);
        Assert.Equal(1, code);
        Assert.Contains(message, output + errors);
    }

    private static IEnumerable<string?> RuntimePackages(string output)
    {
        using var json = JsonDocument.Parse(output);
        return [.. json.RootElement.GetProperty("Items").GetProperty("PackageReference").EnumerateArray()
            .Select(item => item.GetProperty("Identity").GetString())
            .Where(name => name!.StartsWith("Microsoft.ML.OnnxRuntime", StringComparison.Ordinal))];
    }

    private static Task<(int Code, string Output, string Errors)> RunToolAsync(params string[] arguments) =>
        RunAsync("dotnet", [Path.Combine(AppContext.BaseDirectory, "r1.dll"), .. arguments]);

    internal static async Task<(int Code, string Output, string Errors)> RunAsync(string file, params string[] arguments)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
            Environment = { ["COLUMNS"] = "200" }
        };
        using var process = Process.Start(start)!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken),
            process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output, await errors);
    }
}
