using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace R1Serverless.Engine.Runtime;

/// <summary>Token ids, positions or a mask, in the width that the graph wants: int64, or int32.</summary>
internal sealed class IntegerBuffer(TensorElementType type) : IDisposable
{
    private readonly NativeBuffer<long> _wide = new();
    private readonly NativeBuffer<int> _narrow = new();
    private readonly bool _isNarrow = type == TensorElementType.Int32;

    public int Capacity => _isNarrow ? _narrow.Capacity : _wide.Capacity;

    /// <inheritdoc cref="NativeBuffer{T}.Require"/>
    public bool Require(int elements) => _isNarrow ? _narrow.Require(elements) : _wide.Require(elements);

    public OrtValue View(params ReadOnlySpan<long> shape) => _isNarrow ? _narrow.View(shape) : _wide.View(shape);

    public void Write(int at, ReadOnlySpan<int> values)
    {
        if (_isNarrow)
        {
            values.CopyTo(_narrow.Span[at..]);
            return;
        }

        var target = _wide.Span.Slice(at, values.Length);
        for (var i = 0; i < values.Length; i++) target[i] = values[i];
    }

    public void Fill(int at, int count, int value)
    {
        if (_isNarrow) _narrow.Span.Slice(at, count).Fill(value);
        else _wide.Span.Slice(at, count).Fill(value);
    }

    /// <summary>first, first + 1, …</summary>
    public void Count(int at, int count, int first)
    {
        for (var i = 0; i < count; i++)
        {
            if (_isNarrow) _narrow.Span[at + i] = first + i;
            else _wide.Span[at + i] = first + i;
        }
    }

    public void Dispose()
    {
        _wide.Dispose();
        _narrow.Dispose();
    }
}
