using System.CommandLine;
using R1Serverless.Runtime;

namespace R1Serverless.Commands;

/// <summary>Where models run, for every command that runs them.</summary>
internal static class DeviceOption
{
    private const long LeastGpuMemory = 256L << 20;

    private static readonly Option<DeviceKind> Device = new("--device")
    {
        Description = "Where models run: cpu, cuda, or auto (CUDA when this build and machine have it); `r1 devices` shows what there is.",
        HelpName = "auto|cpu|cuda",
        DefaultValueFactory = _ => DeviceKind.Auto,
        CustomParser = result =>
        {
            switch (result.Tokens.SingleOrDefault()?.Value)
            {
                case "auto": return DeviceKind.Auto;
                case "cpu": return DeviceKind.Cpu;
                case "cuda": return DeviceKind.Cuda;
            }

            result.AddError("--device must be auto, cpu or cuda.");
            return DeviceKind.Auto;
        },
    };

    private static readonly Option<int> Gpu = NumberOption.Bound(new Option<int>("--gpu") { Description = "Which CUDA device, from 0.", HelpName = "N", DefaultValueFactory = _ => 0 }, 0, 63);

    private static readonly Option<string?> GpuMemory = new("--gpu-memory")
    {
        Description = "The most that each loaded variant may take on the GPU, keys and values included, such as 8GB. [default: no limit]", HelpName = "SIZE",
    };

    private static readonly Option<bool> Tf32 = new("--tf32") { Description = "Let float32 products on the GPU round their inputs to TF32: faster, less exact." };

    private static readonly Option<bool> CudaGraph = new("--cuda-graph")
    {
        Description = $"Record decode steps on the GPU as CUDA graphs and replay them, up to {CudaOptions.MostCaptures} per loaded variant: fewer launches, more GPU memory. Needs CUDA.",
    };

    static DeviceOption()
    {
        CudaGraph.Validators.Add(result =>
        {
            // Asked last: it loads ONNX Runtime, which a gateway does without.
            if (result is { Implicit: false, Tokens: [] or [{ Value: "true" }] } && !ExecutionProvider.BuiltWithCuda)
                result.AddError("--cuda-graph: this build of r1 has no CUDA: build it with `dotnet build -p:Gpu=true`, or leave the option out.");
        });
        GpuMemory.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var text }] && !(MemorySize.Parse(text) >= LeastGpuMemory)) result.AddError($"--gpu-memory: '{text}' is not a size such as 8GB, at least 256MB.");
        });
    }

    public static void AddTo(Command command)
    {
        foreach (Option option in (Option[])[Device, Gpu, GpuMemory, Tf32, CudaGraph]) command.Options.Add(option);
    }

    /// <summary>The same for commands that measure: where models can't run on what they should, the error stream tells it, or the command fails at once.</summary>
    /// <exception cref="ModelLoadException">The device can't be had.</exception>
    public static RuntimeOptions ReadAndTell(ParseResult arguments)
    {
        RuntimeOptions options = Read(arguments);
        if (ExecutionProvider.Preferred(options).Notice is { } notice) Console.Error.WriteLine(notice);
        return options;
    }

    public static RuntimeOptions Read(ParseResult arguments, int threads = 0) => new()
    {
        Threads = threads,
        Device = arguments.GetValue(Device),
        Cuda = new CudaOptions
        {
            DeviceId = arguments.GetValue(Gpu),
            MemoryLimit = arguments.GetValue(GpuMemory) is { } size ? MemorySize.Parse(size) ?? 0 : 0,
            UseTf32 = arguments.GetValue(Tf32),
            CaptureSteps = arguments.GetValue(CudaGraph),
        },
    };
}
