using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace R1Serverless.Runtime;

/// <summary>Unmanaged memory that a step's inputs and outputs lie in: it grows, never shrinks, and its address is stable until it grows.</summary>
internal sealed unsafe class NativeBuffer<T> : IDisposable
    where T : unmanaged
{
    private static readonly TensorElementType Type = typeof(T) == typeof(long) ? TensorElementType.Int64 : TensorElementType.Float;

    private T* _data;

    public int Capacity { get; private set; }

    public Span<T> Span => new(_data, Capacity);

    /// <summary>Makes room for that many elements; true if the memory moved and its content is lost.</summary>
    public bool Require(int elements)
    {
        if (elements <= Capacity) return false;
        var capacity = Math.Max(elements, Capacity * 2);
        var data = (T*)NativeMemory.AlignedAlloc((nuint)capacity * (nuint)sizeof(T), 64);
        NativeMemory.AlignedFree(_data);
        _data = data;
        Capacity = capacity;
        return true;
    }

    /// <summary>The first elements as a tensor over this memory; the caller disposes it, at the latest before the memory moves.</summary>
    public OrtValue View(params ReadOnlySpan<long> shape)
    {
        var elements = 1L;
        foreach (var dimension in shape) elements *= dimension;
        return OrtValue.CreateTensorValueWithData(OrtMemoryInfo.DefaultInstance, Type, shape.ToArray(), (nint)_data, elements * sizeof(T));
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_data);
        _data = null;
        Capacity = 0;
    }
}
