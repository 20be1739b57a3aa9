using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Bench;

/// <summary>What `r1 bench gpu` does.</summary>
/// <param name="Parts">Those of <see cref="GpuPart"/> that are wanted.</param>
/// <param name="Runtime">The device that is proved.</param>
/// <param name="IsQuick">Few problems, rounds and rows: whether it runs, not how fast.</param>
internal sealed record GpuOptions(IReadOnlyList<GpuPart> Parts, RuntimeOptions Runtime, bool IsQuick)
{
    public bool IsCuda => Runtime.Device == DeviceKind.Cuda;

    public string Device => IsCuda ? "cuda" : "cpu";

    public int Tasks => IsQuick ? 64 : int.MaxValue;

    public int Rounds => IsQuick ? 1 : 3;

    public IReadOnlyList<int> Rows => IsQuick ? [1, 8] : [1, 8, 32, 128, 512];
}

/// <summary>A part of the bench, in its order.</summary>
internal enum GpuPart
{
    /// <summary>Which operators the device runs, and which the processor runs for it.</summary>
    Placement,

    /// <summary>The model's problems, answered as on the processor.</summary>
    Answers,

    /// <summary>A sequence alone, and among others.</summary>
    Batching,

    /// <summary>Keys and values that are moved, copied and restored.</summary>
    Copies,

    /// <summary>Decode steps that are recorded and replayed.</summary>
    Graphs,

    /// <summary>Products of rounded float32.</summary>
    Tf32,

    /// <summary>Tokens per second beside the bare loop and the memory's bandwidth.</summary>
    Speed,

    /// <summary>A card that is full.</summary>
    Memory,
}

/// <summary>How a check ended.</summary>
internal enum GpuOutcome
{
    Passed,
    Failed,

    /// <summary>There is a figure, and nothing that it must reach.</summary>
    Measured,

    /// <summary>Only CUDA has it.</summary>
    NotOnThisDevice,
}

/// <summary>One thing that was looked at.</summary>
/// <param name="Variant">The precision, with "+kv8" where keys and values have 8 bits; null where the check is of the whole model.</param>
/// <param name="Figure">What was measured, in <paramref name="Unit"/>; null where there is nothing to measure, or where it failed before.</param>
/// <param name="Reason">Why it ended so, in words.</param>
internal sealed record GpuCheck(GpuPart Part, string Model, string? Variant, GpuOutcome Outcome, double? Figure, string? Unit, string Reason);

/// <summary>A variant's speed with one number of rows. Each is a median over rounds, in which all were measured next to each other.</summary>
/// <param name="Raw">Tokens per second of ONNX Runtime in a bare loop over the same graph, bound once.</param>
/// <param name="Engine">Tokens per second of the engine, prompts included; 0 where it was not measured.</param>
/// <param name="OfRaw">The engine's over those of a bare loop that does the same prompts.</param>
/// <param name="OfBandwidth">The bare loop's steps per second times the weights that a step reads, over the copies' bandwidth.</param>
internal sealed record GpuSpeed(string Model, string Variant, int Rows, double Raw, double Engine, double OfRaw, double OfBandwidth);

/// <summary>All of it. Written after each check, so that what a crash or a limit of time cuts off is the rest alone.</summary>
/// <param name="Device">cpu or cuda.</param>
/// <param name="Hardware">The devices that ONNX Runtime sees.</param>
/// <param name="Bandwidth">Bytes per second, read and written, of copies within the device's memory; 0 where it was not measured.</param>
/// <param name="IsComplete">Whether all parts were run.</param>
internal sealed record GpuReport(
    string Device, IReadOnlyList<string> Hardware, string RuntimeVersion, string Processor, int Cores, DateTimeOffset Began, double Seconds,
    double Bandwidth, bool IsComplete,
    IReadOnlyList<GpuCheck> Checks, IReadOnlyList<GpuSpeed> Speeds)
{
    public bool IsPassed => IsComplete && Checks.All(check => check.Outcome != GpuOutcome.Failed);
}

/// <summary>A variant that is looked at.</summary>
internal sealed record GpuSubject(ModelFolder Folder, ModelVariant Variant)
{
    public string Name => PrecisionName.Of(Variant.Precision) + (Variant.Kv == Models.KvFormat.Int8 ? "+kv8" : "");
}
