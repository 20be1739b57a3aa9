using System.Text;
using System.Text.Json;
using R1Serverless.Engine.Devices;

namespace R1Serverless.Tests.Commands;

/// <summary>What `dotnet publish functions -p:Gpu=true` gives, and what it says on a machine that can't use it, as most that run these tests
/// can't.</summary>
public sealed class GpuBuildTests
{
    private const string ProviderLibrary = "libonnxruntime_providers_cuda.so";

    [Fact]
    public async Task The_gpu_build_has_cuda_tells_what_the_machine_lacks_and_falls_back()
    {
        string folder = RepositoryFiles.Path("tests", "obj", "gpu", "app"), data = Directory.CreateTempSubdirectory("r1-gpu-").FullName;
        // What an earlier run published must not stay.
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
        try
        {
            // The analyzers have seen these sources, and nobody waits for this folder's start.
            var (published, said, errors) = await DeviceTests.RunAsync(
                "dotnet", "publish", RepositoryFiles.Path("functions"), "--configuration", "Release", "-p:Gpu=true", "--output", folder,
                "--artifacts-path", RepositoryFiles.Path("tests", "obj", "gpu", "artifacts"),
                "-p:PublishReadyToRun=false", "-p:PublishReadyToRunComposite=false", "-p:RunAnalyzers=false", "-p:EnforceCodeStyleInBuild=false",
                "--disable-build-servers", "--verbosity", "quiet", "--nologo");
            Assert.True(published == 0, said + errors);
            // Windows' natives, which the package copies too, would be a third of the folder.
            Assert.Empty(Directory.EnumerateFiles(folder, "onnxruntime*.dll"));
            AssertLinks(Path.Combine(folder, ProviderLibrary));
            var r1 = Path.Combine(folder, "r1");

            var (code, output, _) = await DeviceTests.RunAsync(r1, "devices", "--json");
            Assert.Equal(0, code);
            using var devices = JsonDocument.Parse(output);
            Assert.Contains("CUDAExecutionProvider", devices.RootElement.GetProperty("providers").EnumerateArray().Select(one => one.GetString()));
            // Asked in this process, which has another build's ONNX Runtime: it is the machine that lacks them.
            Assert.Equal(CudaRequirements.Missing, devices.RootElement.GetProperty("cuda_missing").GetString());
            Assert.SkipWhen(CudaRequirements.Missing is null, "This machine can use CUDA: tests/gpu/run proves it.");

            Assert.Equal("cpu", devices.RootElement.GetProperty("default_device").GetString());
            (_, output, _) = await DeviceTests.RunAsync(r1, "devices");
            Assert.Contains("built in, but CUDA can't be used on this machine: ", output);
            (code, _, errors) = await DeviceTests.RunAsync(r1, "model", "evaluate", "r1-nano", "--data", data, "--device", "cuda");
            Assert.Equal((1, $"error: {CudaRequirements.Missing}; install it, or choose --device cpu\n"), (code, errors));
            (code, _, errors) = await DeviceTests.RunAsync(RepositoryFiles.Path("tests", "gpu", "run"), folder);
            Assert.Equal((3, $"No GPU to prove: {CudaRequirements.Missing}.\n"), (code, errors));

            string input = Path.Combine(data, "in.jsonl"), results = Path.Combine(data, "out.jsonl");
            await File.WriteAllTextAsync(input,
                """{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{"model":"r1-nano","messages":[{"role":"user","content":"What is 12 + 30?"}],"temperature":0}}""");
            (code, output, errors) = await DeviceTests.RunAsync(r1, "run-batch", "-i", input, "-o", results, "--data", data, "--model", "r1-nano");
            Assert.True(code == 0, output + errors);
            Assert.Contains($"{CudaRequirements.Missing}: models run on the CPU.", output + errors);
            Assert.Contains("42", await File.ReadAllTextAsync(results));
        }
        finally
        {
            Directory.Delete(data, recursive: true);
        }
    }

    /// <summary>The libraries that are looked for are those that the provider is linked to; cuDNN it loads by name.</summary>
    private static void AssertLinks(string library)
    {
        var bytes = File.ReadAllBytes(library);
        foreach (var name in CudaRequirements.Parts.Where(part => part.Part != "cuDNN 9").SelectMany(part => part.Libraries))
            Assert.True(bytes.AsSpan().IndexOf(Encoding.ASCII.GetBytes($"\0{name}\0")) > 0, $"{ProviderLibrary} does not name {name}.");
    }
}
