using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;

namespace R1Serverless.Engine.Runtime;

/// <summary>The host's memory. On Linux, addresses are reserved, and the system takes a page when it is first written; elsewhere all of it is taken
/// at once.</summary>
internal sealed unsafe class HostKvMemory : KvMemory
{
    private const int Alignment = 64;

    private readonly Dictionary<nint, long> _reserved = [];

    public override bool IsLazy => OperatingSystem.IsLinux();

    public override OrtMemoryInfo Info => OrtMemoryInfo.DefaultInstance;

    public override nint Allocate(long bytes)
    {
        if (!IsLazy) return (nint)NativeMemory.AlignedAlloc((nuint)bytes, Alignment);
        var at = LinuxMemory.Reserve(Math.Max(1, bytes));
        _reserved.Add(at, Math.Max(1, bytes));
        return at;
    }

    public override void Free(nint allocation)
    {
        if (!IsLazy) NativeMemory.AlignedFree((void*)allocation);
        else if (_reserved.Remove(allocation, out var bytes)) LinuxMemory.Free(allocation, bytes);
    }

    public override void Release(nint start, long bytes)
    {
        if (IsLazy) LinuxMemory.Release(start, bytes);
    }

    public override void Copy(Pieces from, Pieces to, long bytes, int count)
    {
        for (var i = 0; i < count; i++) Buffer.MemoryCopy((void*)from[i], (void*)to[i], bytes, bytes);
    }

    public override void Read(Pieces from, byte[] to, int count)
    {
        var tight = to.Length / count;
        for (var i = 0; i < count; i++) new ReadOnlySpan<byte>((void*)from[i], tight).CopyTo(to.AsSpan(i * tight));
    }

    public override void Write(byte[] from, Pieces to, int count, long skip)
    {
        var tight = from.Length / count;
        for (var i = 0; i < count; i++)
            from.AsSpan((i * tight) + (int)skip, tight - (int)skip).CopyTo(new Span<byte>((void*)(to[i] + (nint)skip), tight - (int)skip));
    }

    public override void CopyIn(nint host, nint to, long bytes) => Buffer.MemoryCopy((void*)host, (void*)to, bytes, bytes);

    public override void CopyOut(nint from, nint host, long bytes) => Buffer.MemoryCopy((void*)from, (void*)host, bytes, bytes);

    public override void Dispose()
    {
        foreach (var (at, bytes) in _reserved) LinuxMemory.Free(at, bytes);
        _reserved.Clear();
    }
}
