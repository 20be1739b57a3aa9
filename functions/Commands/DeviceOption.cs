using System.CommandLine;
using R1Serverless.Engine.Devices;

namespace R1Serverless.Commands;

/// <summary>Where models run, for every command that runs them.</summary>
internal static class DeviceOption
{
    private static readonly Option<DeviceKind> Device = TextOption.Choice("--device", DeviceKind.Auto,
        "Where models run: cpu, cuda, or auto (CUDA when this build and machine have it); `r1 devices` shows what there is.");

    private static readonly Option<long?> GpuMemory = TextOption.Size("--gpu-memory", 256L << 20, "8GB, at least 256MB",
        "The most that each loaded variant may take on the GPU, keys and values included, such as 8GB. [default: no limit]");

    private static readonly Option<bool> Tf32 =
        new("--tf32") { Description = "Let float32 products on the GPU round their inputs to TF32: faster, less exact." };

    private static readonly Option<bool> CudaGraph = new("--cuda-graph")
    {
        Description =
            $"Record decode steps on the GPU as CUDA graphs and replay them, up to {CudaOptions.MaxCaptures} per loaded variant: fewer launches, "
            + "more GPU memory. Needs CUDA.",
    };

    static DeviceOption() => CudaGraph.Validators.Add(result =>
    {
        // Asked last: it loads ONNX Runtime, which a gateway does without.
        if (result is { Implicit: false, Tokens: [] or [{ Value: "true" }] } && !ExecutionProvider.BuiltWithCuda)
            result.AddError("--cuda-graph: this build of r1 has no CUDA: build it with `dotnet build -p:Gpu=true`, or leave the option out.");
    });

    public static Option<int> Gpu { get; } = NumberOption.Create("--gpu", 0, 0, 63, "Which CUDA device.");

    public static void AddTo(Command command)
    {
        foreach (var option in (Option[])[Device, Gpu, GpuMemory, Tf32, CudaGraph]) command.Options.Add(option);
    }

    /// <summary>The same for commands that measure: where models can't run on what they should, the error stream tells it, or the command fails at
    /// once.</summary>
    /// <exception cref="ModelLoadException">The device can't be had.</exception>
    public static RuntimeOptions ReadAndTell(ParseResult arguments)
    {
        var options = Read(arguments);
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
            MemoryLimit = arguments.GetValue(GpuMemory) ?? 0,
            UseTf32 = arguments.GetValue(Tf32),
            CaptureSteps = arguments.GetValue(CudaGraph),
        },
    };
}
