namespace R1Serverless.Engine.Devices;

/// <summary>How ONNX Runtime is used on this machine.</summary>
public sealed record RuntimeOptions
{
    /// <summary>Threads of one model run on the CPU, the engine's own included; 0 means one per core.</summary>
    public int Threads { get; init; }

    /// <summary>Where models run.</summary>
    public DeviceKind Device { get; init; }

    /// <summary>Read where the device is CUDA.</summary>
    public CudaOptions Cuda { get; init; } = new();

    /// <summary>Whether graphs that `r1 model prepare` made for this machine are used.</summary>
    public bool UsePrepared { get; init; } = true;

    /// <summary>Where ONNX Runtime writes what each node took, and on which device it ran: the beginning of a file's path; null where it is not
    /// asked.</summary>
    internal string? ProfilePrefix { get; init; }

    /// <summary>Whether signed 8-bit weights become unsigned ones while a graph is loaded, since the processor would cut off sums of two products at
    /// 16 bits. Slower; no two weights of the graph may share their zero point.</summary>
    internal bool ExactSums { get; init; }

    public int EffectiveThreads => Threads > 0 ? Threads : Environment.ProcessorCount;
}

/// <summary>Where models run.</summary>
public enum DeviceKind
{
    /// <summary>CUDA when this build and machine have it, else the CPU.</summary>
    Auto,
    Cpu,
    Cuda,
}

/// <summary>What the CUDA execution provider is told. cuDNN's extra workspace stays off, as decoders have no convolutions.</summary>
public sealed record CudaOptions
{
    /// <summary>Recordings of one session, at most: each keeps device memory until the session ends.</summary>
    public const int MaxCaptures = 64;

    /// <summary>Which GPU, from 0.</summary>
    public int DeviceId { get; init; }

    /// <summary>Bytes that one session's arena may take, keys and values included; 0 means all there is. At least 256 MiB otherwise.</summary>
    public long MemoryLimit { get; init; }

    /// <summary>Whether float32 products may round their inputs to TF32's 10 bits of mantissa: faster, less exact.</summary>
    public bool UseTf32 { get; init; }

    /// <summary>Whether the arena grows by powers of two, with fewer allocations, instead of by what is asked for, with less waste.</summary>
    public bool GrowByPowersOfTwo { get; init; }

    /// <summary>Whether decode steps are recorded as CUDA graphs and replayed, one recording per number of rows, width of the mask and place of the
    /// buffers, at most <see cref="MaxCaptures"/> per session: fewer launches, more device memory. Asking for it is asking for CUDA.</summary>
    public bool CaptureSteps { get; init; }

    /// <summary>As the provider names and writes them.</summary>
    internal Dictionary<string, string> ToProviderOptions()
    {
        var options = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["device_id"] = $"{DeviceId}",
            ["arena_extend_strategy"] = GrowByPowersOfTwo ? "kNextPowerOfTwo" : "kSameAsRequested",
            ["use_tf32"] = UseTf32 ? "1" : "0",
            ["cudnn_conv_use_max_workspace"] = "0",
            ["enable_cuda_graph"] = CaptureSteps ? "1" : "0",
        };
        if (MemoryLimit > 0) options["gpu_mem_limit"] = $"{MemoryLimit}";
        return options;
    }
}
