using Microsoft.ML.OnnxRuntime;
using R1Serverless.Abstractions;

namespace R1Serverless.Engine.Devices;

/// <summary>A device that ONNX Runtime knows a provider for.</summary>
/// <param name="Provider">The execution provider's name.</param>
/// <param name="Kind">CPU, GPU or NPU.</param>
/// <param name="Vendor">Who made it, as the system tells; may be empty.</param>
/// <param name="Name">What it is called; may be empty.</param>
public sealed record MachineDevice(string Provider, string Kind, string Vendor, string Name);

/// <summary>What a precision means on the device that models run on by default.</summary>
public sealed record PrecisionOnDevice(Precision Precision, string Meaning);

/// <summary>What models can run on here: everything as asked from ONNX Runtime, the processor and the system.</summary>
public sealed record Machine
{
    public required string RuntimeVersion { get; init; }

    /// <summary>Execution providers compiled in, ONNX Runtime's names.</summary>
    public required IReadOnlyList<string> Providers { get; init; }

    public required IReadOnlyList<MachineDevice> Devices { get; init; }

    public required string Processor { get; init; }

    /// <summary>Those of the processor's instruction sets that matter here.</summary>
    public required IReadOnlyList<string> InstructionSets { get; init; }

    public required int Cores { get; init; }

    /// <summary>Bytes that this process may use.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>Why this machine can't use the CUDA that is built in, without a full stop; null where it can, or where none is built in.</summary>
    public required string? CudaMissing { get; init; }

    /// <summary>Where models run unless a command says otherwise: cuda or cpu.</summary>
    public required string DefaultDevice { get; init; }

    public required IReadOnlyList<PrecisionOnDevice> Precisions { get; init; }

    public static Machine Look()
    {
        var environment = OrtEnv.Instance();
        var processor = Processors.Look();
        var providers = environment.GetAvailableProviders();
        var device = ExecutionProvider.Candidates(new RuntimeOptions())[0].Name;
        return new Machine
        {
            RuntimeVersion = environment.GetVersionString(),
            Providers = providers,
            Devices = [.. environment.GetEpDevices().Select(d => new MachineDevice(
                d.EpName, d.HardwareDevice.Type.ToString(), d.HardwareDevice.Vendor,
                d.HardwareDevice.Metadata.Entries.GetValueOrDefault("Description", "")))],
            Processor = processor.Name,
            InstructionSets = processor.InstructionSets,
            Cores = Environment.ProcessorCount,
            MemoryBytes = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
            CudaMissing = ExecutionProvider.BuiltWithCuda ? CudaRequirements.Missing : null,
            DefaultDevice = device,
            Precisions = [.. Enum.GetValues<Precision>().Select(p => new PrecisionOnDevice(p, device == "cuda" ? OnCuda(p) : OnCpu(p, processor)))],
        };
    }

    /// <summary>Only what is certain: which variant is fastest, `r1 model evaluate` measures.</summary>
    private static string OnCpu(Precision precision, Processors processor) => precision switch
    {
        Precision.Fp32 => "computed as it is; the reference",
        Precision.Fp16 => "half the memory; ONNX Runtime casts to float32 and back around most operators",
        Precision.Int8 => processor.HasDotProduct
            ? $"a quarter of the weights' memory; 8-bit products in {processor.DotProduct}"
            : "a quarter of the weights' memory; 8-bit products without VNNI, where u8×s8 can saturate and u8×u8 can't",
        _ => "an eighth of the weights' memory, unpacked while it runs",
    };

    private static string OnCuda(Precision precision) => precision switch
    {
        Precision.Fp32 => "computed as it is; TF32 only with --tf32 (unverified: nothing here has run on a GPU)",
        Precision.Fp16 => "half the memory (unverified: nothing here has run on a GPU)",
        Precision.Int8 => "a quarter of the weights' memory (unverified: nothing here has run on a GPU)",
        _ => "an eighth of the weights' memory (unverified: nothing here has run on a GPU)",
    };
}
