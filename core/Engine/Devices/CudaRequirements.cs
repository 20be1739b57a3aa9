using System.Runtime.InteropServices;

namespace R1Serverless.Engine.Devices;

/// <summary>What ONNX Runtime's CUDA provider needs of a machine: the libraries that it is linked to, cuDNN, which it loads by name, and a driver for
/// its CUDA with a GPU.</summary>
public static partial class CudaRequirements
{
    private const string Driver = "libcuda.so.1";
    private const int Success = 0, NoDevice = 100, Cuda13 = 13_000;

    /// <summary>Where it can be asked: on Linux. Elsewhere the first session tells.</summary>
    private static readonly Lazy<string?> Lack =
        new(() => OperatingSystem.IsLinux() ? Look(name => NativeLibrary.TryLoad(name, out _), AskDriver) : null);

    /// <summary>What has to be there, and the libraries that show it.</summary>
    internal static IReadOnlyList<(string Part, IReadOnlyList<string> Libraries)> Parts { get; } =
    [
        ("the NVIDIA driver", [Driver]),
        ("CUDA 13", ["libcudart.so.13", "libcublas.so.13", "libcublasLt.so.13", "libcurand.so.10"]),
        ("cuDNN 9", ["libcudnn.so.9"]),
    ];

    /// <summary>Why CUDA can't be used on this machine, without a full stop; null where nothing is known to be missing. It says nothing of the
    /// build.</summary>
    public static string? Missing => Lack.Value;

    internal static string? Look(Func<string, bool> isThere, Func<DriverAnswer> askDriver)
    {
        string[] missing = [.. Parts.Select(part => (part.Part, Libraries: part.Libraries.Where(library => !isThere(library)).ToArray()))
            .Where(part => part.Libraries.Length > 0).Select(part => $"{part.Part} ({string.Join(", ", part.Libraries)})")];
        if (missing.Length > 0)
            return "CUDA can't be used on this machine: "
                + $"{string.Join(" and ", (string[])[.. missing.Length > 1 ? [string.Join(", ", missing[..^1])] : (string[])[], missing[^1]])} "
                + $"{(missing.Length > 1 ? "are" : "is")} missing";
        return askDriver() switch
        {
            { Version: < Cuda13 and var version } =>
                $"CUDA can't be used on this machine: its NVIDIA driver is one for CUDA {version / 1000}.{version % 1000 / 10}, and CUDA 13 needs "
                + "driver 580 or a later one",
            { Error: NoDevice } or { Error: Success, Gpus: 0 } => "CUDA can't be used on this machine: the NVIDIA driver shows no GPU",
            { Error: not Success and var error } => $"CUDA can't be used on this machine: the NVIDIA driver fails with error {error}",
            _ => null,
        };
    }

    private static DriverAnswer AskDriver()
    {
        _ = ReadVersion(out var version);
        var error = Initialise(0);
        var gpus = 0;
        if (error == Success) error = CountDevices(out gpus);
        return new DriverAnswer(version, error, gpus);
    }

    [LibraryImport(Driver, EntryPoint = "cuDriverGetVersion")]
    private static partial int ReadVersion(out int version);

    [LibraryImport(Driver, EntryPoint = "cuInit")]
    private static partial int Initialise(uint flags);

    [LibraryImport(Driver, EntryPoint = "cuDeviceGetCount")]
    private static partial int CountDevices(out int count);

    /// <param name="Version">The newest CUDA that the driver knows: 1000 × major + 10 × minor.</param>
    /// <param name="Error">CUresult; 0 is success.</param>
    internal readonly record struct DriverAnswer(int Version, int Error, int Gpus);
}
