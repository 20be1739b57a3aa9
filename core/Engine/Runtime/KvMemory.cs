using Microsoft.ML.OnnxRuntime;
using R1Serverless.Engine.Devices;

namespace R1Serverless.Engine.Runtime;

/// <summary>Where keys and values lie: the host's memory, or a device's own.</summary>
internal abstract class KvMemory : IDisposable
{
    /// <summary>For tensors over this memory.</summary>
    public abstract OrtMemoryInfo Info { get; }

    /// <summary>Whether memory is taken only where something is written; else at once.</summary>
    public virtual bool IsLazy => false;

    /// <exception cref="DeviceMemoryException">There is not that much; host memory that is taken at once throws
    /// <see cref="OutOfMemoryException"/>.</exception>
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

    /// <summary>Copies tight pieces in, but for the first <paramref name="skip"/> bytes of each.</summary>
    public abstract void Write(byte[] from, Pieces to, int count, long skip);

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
