using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using R1Serverless.Engine.Devices;

namespace R1Serverless.Engine.Runtime;

/// <summary>Where keys and values lie: the host's memory, or a device's own.</summary>
internal abstract class KvMemory : IDisposable
{
    /// <summary>For tensors over this memory.</summary>
    public abstract OrtMemoryInfo Info { get; }

    /// <exception cref="DeviceMemoryException">There is not that much; host memory throws <see cref="OutOfMemoryException"/>.</exception>
    public abstract nint Allocate(long bytes);

    /// <summary>Gives an allocation back; nothing for 0.</summary>
    public abstract void Free(nint allocation);

    /// <summary>The content of this part of an allocation is not needed: its memory goes back to the system where that can be, until it is written
    /// again.</summary>
    public virtual void Release(nint start, long bytes)
    {
    }

    /// <summary>Copies <paramref name="count"/> pieces within this memory; what lies between two pieces in the target may change.</summary>
    public abstract void Copy(Pieces from, Pieces to, long bytes, int count);

    /// <summary>Copies pieces out, one after the other, tight.</summary>
    public abstract void Read(Pieces from, byte[] to, int count);

    /// <summary>Copies tight pieces in.</summary>
    public abstract void Write(byte[] from, Pieces to, int count);

    /// <summary>Copies from the host's memory into this one.</summary>
    public abstract void CopyIn(nint host, nint to, long bytes);

    /// <summary>Copies from this memory into the host's.</summary>
    public abstract void CopyOut(nint from, nint host, long bytes);

    public abstract void Dispose();

    public static KvMemory For(OrtSession session) => session.Provider.HasOwnMemory ? new DeviceKvMemory(session) : new HostKvMemory();
}

/// <summary>Equal pieces at equal distances: the heads of a slot.</summary>
internal readonly record struct Pieces(nint Start, long Stride)
{
    public nint this[int i] => Start + (nint)(i * Stride);
}

/// <summary>Reserved from the operating system, which commits a page when it is first written.</summary>
internal sealed unsafe partial class HostKvMemory : KvMemory
{
    private const int Alignment = 64, DontNeed = 4;

    public override OrtMemoryInfo Info => OrtMemoryInfo.DefaultInstance;

    public override nint Allocate(long bytes) => (nint)NativeMemory.AlignedAlloc((nuint)bytes, Alignment);

    public override void Free(nint allocation) => NativeMemory.AlignedFree((void*)allocation);

    /// <summary>On Linux; elsewhere the memory stays taken.</summary>
    public override void Release(nint start, long bytes)
    {
        if (!OperatingSystem.IsLinux()) return;
        var page = (nint)Environment.SystemPageSize;
        var (first, end) = ((start + page - 1) / page * page, (start + (nint)bytes) / page * page);
        // What fails leaves the memory taken.
        if (end > first) _ = Advise(first, end - first, DontNeed);
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Advise(nint start, nint length, int advice);

    public override void Copy(Pieces from, Pieces to, long bytes, int count)
    {
        for (var i = 0; i < count; i++) Buffer.MemoryCopy((void*)from[i], (void*)to[i], bytes, bytes);
    }

    public override void Read(Pieces from, byte[] to, int count)
    {
        var tight = to.Length / count;
        for (var i = 0; i < count; i++) new ReadOnlySpan<byte>((void*)from[i], tight).CopyTo(to.AsSpan(i * tight));
    }

    public override void Write(byte[] from, Pieces to, int count)
    {
        var tight = from.Length / count;
        for (var i = 0; i < count; i++) from.AsSpan(i * tight, tight).CopyTo(new Span<byte>((void*)to[i], tight));
    }

    public override void CopyIn(nint host, nint to, long bytes) => Buffer.MemoryCopy((void*)host, (void*)to, bytes, bytes);

    public override void CopyOut(nint from, nint host, long bytes) => Buffer.MemoryCopy((void*)from, (void*)host, bytes, bytes);

    public override void Dispose()
    {
    }
}
