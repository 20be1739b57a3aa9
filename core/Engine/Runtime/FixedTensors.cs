using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;

namespace R1Serverless.Engine.Runtime;

/// <summary>
/// Twins of host tensors in a device's memory, at addresses that stay: a captured step is replayed over them. Owns both. Nothing but the kernels is
/// replayed, so the caller brings inputs in before a run and takes outputs out after it.
/// </summary>
internal sealed class FixedTensors(KvMemory memory) : IDisposable
{
    private readonly List<(OrtValue Host, OrtValue Twin, nint Address)> _inputs = [], _outputs = [];

    public OrtValue AddInput(OrtValue host) => Add(host, _inputs);

    public OrtValue AddOutput(OrtValue host) => Add(host, _outputs);

    public void CopyIn()
    {
        foreach (var (host, _, address) in _inputs) memory.CopyIn(Pointer(host), address, Bytes(host));
    }

    public void CopyOut()
    {
        foreach (var (host, _, address) in _outputs) memory.CopyOut(address, Pointer(host), Bytes(host));
    }

    public void Dispose()
    {
        foreach (var (host, twin, address) in _inputs.Concat(_outputs))
        {
            twin.Dispose();
            memory.Free(address);
            host.Dispose();
        }
    }

    private OrtValue Add(OrtValue host, List<(OrtValue Host, OrtValue Twin, nint Address)> to)
    {
        var bytes = Bytes(host);
        var address = memory.Allocate(bytes);
        var kind = host.GetTensorTypeAndShape();
        var twin = OrtValue.CreateTensorValueWithData(memory.Info, kind.ElementDataType, kind.Shape, address, bytes);
        to.Add((host, twin, address));
        return twin;
    }

    private static long Bytes(OrtValue host) => host.GetTensorMutableRawData().Length;

    /// <summary>The host's tensors lie in unmanaged memory: their addresses stay, too.</summary>
    private static unsafe nint Pointer(OrtValue host) =>
        (nint)System.Runtime.CompilerServices.Unsafe.AsPointer(ref MemoryMarshal.GetReference(host.GetTensorMutableRawData()));
}
