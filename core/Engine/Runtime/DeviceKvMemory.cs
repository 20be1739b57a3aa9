using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using R1Serverless.Engine.Devices;

namespace R1Serverless.Engine.Runtime;

/// <summary>
/// A device's memory, from the session's own allocator. No pointer of ours reaches it, so a graph of one Identity node does the copies: bound to
/// two places it copies from one to the other, on whatever device the session runs, and between device and host. (OrtEnv.CopyTensors would need a
/// provider library registered with the environment, and knows no copy within the host.)
/// </summary>
internal sealed class DeviceKvMemory : KvMemory
{
    private readonly Dictionary<nint, OrtMemoryAllocation> _allocations = [];
    private readonly OrtAllocator _allocator;
    private readonly InferenceSession _copier;
    private readonly RunOptions _options = new();

    public DeviceKvMemory(OrtSession session)
    {
        Info = session.Provider.CreateMemoryInfo(session.Options);
        _allocator = new OrtAllocator(session.Session, Info);
        _copier = session.OpenBeside(CopyGraph.Bytes);
    }

    public override OrtMemoryInfo Info { get; }

    public override nint Allocate(long bytes)
    {
        if (bytes > uint.MaxValue)
            throw new DeviceMemoryException($"One buffer of keys or values may have 4 GiB on this device, but {bytes} bytes are asked for.");
        try
        {
            var allocation = _allocator.Allocate((uint)bytes);
            _allocations.Add(allocation.DangerousGetHandle(), allocation);
            return allocation.DangerousGetHandle();
        }
        catch (OnnxRuntimeException fault) when (OrtFault.IsOutOfMemory(fault))
        {
            throw new DeviceMemoryException(fault.Message, fault);
        }
    }

    public override void Free(nint allocation)
    {
        if (_allocations.Remove(allocation, out var owned)) owned.Dispose();
    }

    /// <summary>One run for all pieces where they lie at the same distances, as a run costs more than the bytes between them.</summary>
    public override void Copy(Pieces from, Pieces to, long bytes, int count)
    {
        if (bytes == 0) return;
        if (from.Stride == to.Stride)
        {
            Copy(Info, from.Start, Info, to.Start, (from.Stride * (count - 1)) + bytes);
            return;
        }

        for (var i = 0; i < count; i++) Copy(Info, from[i], Info, to[i], bytes);
    }

    public override unsafe void Read(Pieces from, byte[] to, int count)
    {
        var tight = to.Length / count;
        fixed (byte* target = to)
        {
            for (var i = 0; i < count; i++) Copy(Info, from[i], OrtMemoryInfo.DefaultInstance, (nint)target + (i * tight), tight);
        }
    }

    public override unsafe void Write(byte[] from, Pieces to, int count, long skip)
    {
        var tight = from.Length / count;
        fixed (byte* source = from)
        {
            for (var i = 0; i < count; i++)
                Copy(OrtMemoryInfo.DefaultInstance, (nint)source + (i * tight) + (nint)skip, Info, to[i] + (nint)skip, tight - skip);
        }
    }

    public override void CopyIn(nint host, nint to, long bytes) => Copy(OrtMemoryInfo.DefaultInstance, host, Info, to, bytes);

    public override void CopyOut(nint from, nint host, long bytes) => Copy(Info, from, OrtMemoryInfo.DefaultInstance, host, bytes);

    public override void Dispose()
    {
        foreach (var allocation in _allocations.Values) allocation.Dispose();
        _allocations.Clear();
        _options.Dispose();
        _copier.Dispose();
        _allocator.Dispose();
        Info.Dispose();
    }

    private void Copy(OrtMemoryInfo fromInfo, nint from, OrtMemoryInfo toInfo, nint to, long bytes)
    {
        if (bytes == 0) return;
        using var binding = _copier.CreateIoBinding();
        using var source = OrtValue.CreateTensorValueWithData(fromInfo, TensorElementType.UInt8, [bytes], from, bytes);
        using var target = OrtValue.CreateTensorValueWithData(toInfo, TensorElementType.UInt8, [bytes], to, bytes);
        binding.BindInput(CopyGraph.Input, source);
        binding.BindOutput(CopyGraph.Output, target);
        _copier.RunWithBinding(_options, binding);
    }
}
