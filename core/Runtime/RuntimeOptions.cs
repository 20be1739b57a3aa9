namespace R1Serverless.Runtime;

/// <summary>How ONNX Runtime is used on this machine.</summary>
public sealed record RuntimeOptions
{
    /// <summary>Threads of one model run, the engine's own included; 0 means one per core.</summary>
    public int Threads { get; init; }

    public int EffectiveThreads => Threads > 0 ? Threads : Environment.ProcessorCount;
}
