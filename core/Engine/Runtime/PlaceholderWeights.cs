using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using R1Serverless.Models;

namespace R1Serverless.Engine.Runtime;

/// <summary>
/// A prepared graph's hole in memory, and its windows as a session's weights. A session packs and hashes them all the same; but of memory that was
/// never written the system has one page of zeros, which the processor's cache holds, where windows of a file would be mapped and read page by page.
/// </summary>
internal sealed unsafe partial class PlaceholderWeights : IDisposable
{
    /// <summary>Of a huge page on x64, and enough for any other.</summary>
    private const nuint Alignment = 2 << 20;

    private const int HugePages = 14;

    private readonly byte* _memory;
    private readonly List<(string Name, OrtValue Value)> _weights = [];

    /// <exception cref="OnnxRuntimeException">A window is too short for its shape.</exception>
    public PlaceholderWeights(PreparedHole hole)
    {
        // Not the aligned kind, which can't be had cleared: clearing it would take real memory.
        _memory = (byte*)NativeMemory.AllocZeroed((nuint)hole.Bytes + Alignment);
        var start = (byte*)(((nuint)_memory + Alignment - 1) / Alignment * Alignment);
        // Where the system has no such pages, small ones do as well, a tenth slower.
        if (OperatingSystem.IsLinux()) _ = Advise(start, (nuint)hole.Bytes, HugePages);
        start[hole.Mark] = 1;
        try
        {
            foreach (var window in hole.Windows) _weights.Add((window.Name, Weight(window, start + window.At, hole.Bytes - window.At)));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>For a session that is made with these settings; this must outlive it.</summary>
    public void AddTo(SessionOptions settings)
    {
        foreach (var (name, value) in _weights) settings.AddInitializer(name, value);
    }

    public void Dispose()
    {
        foreach (var (_, value) in _weights) value.Dispose();
        NativeMemory.Free(_memory);
    }

    private static OrtValue Weight(HoleWindow window, byte* at, long bytes) =>
        OrtValue.CreateTensorValueWithData(OrtMemoryInfo.DefaultInstance, (TensorElementType)window.Type, [.. window.Shape], (nint)at, bytes);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* start, nuint length, int advice);
}
