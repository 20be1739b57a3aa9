using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace R1Serverless.Engine.Runtime;

/// <summary>Unmanaged memory that a step's inputs and outputs lie in: it grows, never shrinks, and its address is stable until it grows.</summary>
internal sealed unsafe class NativeBuffer<T> : IDisposable
    where T : unmanaged
{
    private static readonly TensorElementType Type =
        typeof(T) == typeof(long) ? TensorElementType.Int64
        : typeof(T) == typeof(int) ? TensorElementType.Int32
        : typeof(T) == typeof(Half) ? TensorElementType.Float16
        : typeof(T) == typeof(float) ? TensorElementType.Float
        : throw new NotSupportedException($"No tensor type is known for {typeof(T)}.");

    private T* _data;

    public int Capacity { get; private set; }

    public Span<T> Span => new(_data, Capacity);

    /// <summary>Makes room for that many elements; true if the memory moved and its content is lost.</summary>
    public bool Require(int elements)
    {
        if (elements <= Capacity) return false;
        var capacity = (int)Math.Min(Math.Max(elements, Capacity * 2L), Array.MaxLength);
        var data = (T*)NativeMemory.AlignedAlloc((nuint)capacity * (nuint)sizeof(T), 64);
        NativeMemory.AlignedFree(_data);
        _data = data;
        Capacity = capacity;
        return true;
    }

    /// <summary>The first elements as a tensor over this memory; the caller disposes it, at the latest before the memory moves.</summary>
    public OrtValue View(params ReadOnlySpan<long> shape) => ViewAt(0, shape);

    /// <summary>The same from element <paramref name="first"/> on.</summary>
    public OrtValue ViewAt(int first, params ReadOnlySpan<long> shape)
    {
        var elements = 1L;
        foreach (var dimension in shape) elements *= dimension;
        return OrtValue.CreateTensorValueWithData(OrtMemoryInfo.DefaultInstance, Type, shape.ToArray(), (nint)(_data + first), elements * sizeof(T));
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_data);
        _data = null;
        Capacity = 0;
    }
}
