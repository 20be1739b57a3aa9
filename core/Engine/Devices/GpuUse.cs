using System.Runtime.InteropServices;

namespace R1Serverless.Engine.Devices;

/// <summary>How busy the GPUs of this machine are, as NVIDIA's management library (NVML), which comes with the driver, tells it. Safe for several
/// threads.</summary>
public sealed partial class GpuUse
{
    private const string Library = "libnvidia-ml.so.1";
    private const int Success = 0;
    private readonly nint[] _devices;

    private GpuUse(nint[] devices) => _devices = devices;

    /// <summary>Null where the driver, or every GPU, is missing.</summary>
    public static GpuUse? TryOpen()
    {
        if (!NativeLibrary.TryLoad(Library, out _) || Initialise() != Success || CountDevices(out var count) != Success) return null;
        List<nint> devices = [];
        for (uint index = 0; index < count; index++)
        {
            if (FindDevice(index, out var device) == Success) devices.Add(device);
        }

        return devices.Count > 0 ? new GpuUse([.. devices]) : null;
    }

    /// <summary>Each GPU that answers: its place in NVML's order, the share of the last sample time (a sixth of a second to one second) in which
    /// kernels ran, 0 to 1, and the bytes in use.</summary>
    public IReadOnlyList<(int Index, double Utilization, long MemoryUsed)> Read()
    {
        List<(int, double, long)> found = [];
        for (var index = 0; index < _devices.Length; index++)
        {
            if (ReadUtilization(_devices[index], out var rates) == Success && ReadMemory(_devices[index], out var memory) == Success)
                found.Add((index, rates.Gpu / 100.0, (long)memory.Used));
        }

        return found;
    }

    [LibraryImport(Library, EntryPoint = "nvmlInit_v2")]
    private static partial int Initialise();

    [LibraryImport(Library, EntryPoint = "nvmlDeviceGetCount_v2")]
    private static partial int CountDevices(out uint count);

    [LibraryImport(Library, EntryPoint = "nvmlDeviceGetHandleByIndex_v2")]
    private static partial int FindDevice(uint index, out nint device);

    [LibraryImport(Library, EntryPoint = "nvmlDeviceGetUtilizationRates")]
    private static partial int ReadUtilization(nint device, out Rates rates);

    [LibraryImport(Library, EntryPoint = "nvmlDeviceGetMemoryInfo")]
    private static partial int ReadMemory(nint device, out Memory memory);

    // Percent.
    [StructLayout(LayoutKind.Sequential)]
    private struct Rates
    {
        public uint Gpu, Memory;
    }

    // Bytes.
    [StructLayout(LayoutKind.Sequential)]
    private struct Memory
    {
        public ulong Total, Free, Used;
    }
}
