using Microsoft.ML.OnnxRuntime;

namespace R1Serverless.Engine.Devices;

/// <summary>A device that sessions run on, and what it asks of their callers.</summary>
public sealed record ExecutionProvider
{
    internal const string CudaName = "CUDAExecutionProvider", CpuName = "cpu";

    /// <summary>Tensor Cores take float16 and int8 operands in multiples of 8.</summary>
    private const int TensorCoreStep = 8;

    /// <summary>cpu or cuda, as manifests and command lines name it.</summary>
    public required string Name { get; init; }

    /// <summary>In words.</summary>
    public required string Description { get; init; }

    /// <summary>Keys and values lie in the device's own memory, where no pointer of ours reaches; inputs are copied there when they are
    /// bound.</summary>
    internal bool HasOwnMemory { get; init; }

    /// <summary>Decode steps are recorded and replayed, over inputs and outputs at fixed addresses in the device's memory.</summary>
    internal bool CapturesSteps { get; init; }

    /// <summary>Prompts that start from empty are padded to a multiple of this many tokens.</summary>
    internal int TokenAlignment { get; init; } = 1;

    /// <summary>Why it is not CUDA, which this build has and was free to take, in a sentence; else null.</summary>
    public string? Notice { get; init; }

    /// <summary>Whether the ONNX Runtime of this build has CUDA compiled in.</summary>
    public static bool BuiltWithCuda => OrtEnv.Instance().GetAvailableProviders().Contains(CudaName);

    internal static ExecutionProvider Cpu(RuntimeOptions options) => new()
    {
        Name = CpuName, Description = $"CPU, {options.EffectiveThreads} threads",
    };

    internal static ExecutionProvider Cuda(RuntimeOptions options) => new()
    {
        Name = "cuda", Description = $"CUDA device {options.Cuda.DeviceId}", HasOwnMemory = true, TokenAlignment = TensorCoreStep,
        CapturesSteps = options.Cuda.CaptureSteps,
    };

    /// <summary>Where the options put models, if the machine lets them.</summary>
    /// <exception cref="ModelLoadException">CUDA is asked for, and this build or machine has none.</exception>
    public static ExecutionProvider Preferred(RuntimeOptions options) => Candidates(options)[0];

    /// <summary>What to try, in order: a later one only where an earlier one can't be used on this machine.</summary>
    /// <exception cref="ModelLoadException">CUDA, or what only CUDA can do, is asked for, and this build or machine has none, or the device is
    /// another.</exception>
    internal static IReadOnlyList<ExecutionProvider> Candidates(RuntimeOptions options) =>
        Candidates(options, () => BuiltWithCuda, () => CudaRequirements.Missing);

    internal static IReadOnlyList<ExecutionProvider> Candidates(RuntimeOptions options, Func<bool> isBuilt, Func<string?> missing) =>
        options.Device switch
        {
            DeviceKind.Cpu when options.Cuda.CaptureSteps =>
                throw new ModelLoadException("steps are captured on CUDA only: --cuda-graph does not go with --device cpu"),
            DeviceKind.Auto when options.Cuda.CaptureSteps => Candidates(options with { Device = DeviceKind.Cuda }, isBuilt, missing),
            DeviceKind.Cpu => [Cpu(options)],
            DeviceKind.Cuda when !isBuilt() => throw new ModelLoadException(
                "this build of r1 has no CUDA: build it with `dotnet build -p:Gpu=true`, or choose --device cpu"),
            DeviceKind.Cuda => missing() is { } lack ? throw new ModelLoadException($"{lack}; install it, or choose --device cpu") : [Cuda(options)],
            _ when !isBuilt() => [Cpu(options)],
            _ => missing() is { } lack ? [Cpu(options) with { Notice = $"{lack}: models run on the CPU." }] : [Cuda(options), Cpu(options)],
        };

    /// <summary>Memory of this device, for tensors.</summary>
    internal OrtMemoryInfo CreateMemoryInfo(RuntimeOptions options) => Name == "cuda"
        ? new OrtMemoryInfo(OrtMemoryInfo.allocatorCUDA, OrtAllocatorType.DeviceAllocator, options.Cuda.DeviceId, OrtMemType.Default)
        : new OrtMemoryInfo(OrtMemoryInfo.allocatorCPU, OrtAllocatorType.DeviceAllocator, 0, OrtMemType.Default);

    internal void AppendTo(SessionOptions session, RuntimeOptions options)
    {
        if (Name != "cuda") return;
        using var cuda = new OrtCUDAProviderOptions();
        cuda.UpdateOptions(options.Cuda.ToProviderOptions());
        session.AppendExecutionProvider_CUDA(cuda);
    }
}
