using System.Numerics.Tensors;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using R1Serverless.Engine.Devices;

namespace R1Serverless.Engine.Runtime;

/// <summary>What a run returns: rows of logits [vocabulary] in the graph's type, read as float. In host memory on every device.</summary>
internal sealed class LogitsBuffer : IDisposable
{
    private readonly NativeBuffer<float> _single = new();
    private readonly NativeBuffer<Half> _half = new();
    private readonly bool _isHalf;
    private readonly int _vocabulary;
    private readonly float[] _row = [];

    public LogitsBuffer(GraphSignature graph)
    {
        (_isHalf, _vocabulary) = (graph.LogitsType == TensorElementType.Float16, graph.VocabularySize);
        if (_isHalf) _row = new float[_vocabulary];
        Require(1);
    }

    /// <summary>Makes room; true if the memory moved.</summary>
    /// <exception cref="DeviceMemoryException">That many can't be had, or are more than one buffer can hold.</exception>
    public bool Require(long rows)
    {
        if (rows * _vocabulary > Array.MaxLength) throw new DeviceMemoryException($"Logits of {rows} tokens are more than one buffer holds.");
        var elements = (int)(rows * _vocabulary);
        return _isHalf ? _half.Require(elements) : _single.Require(elements);
    }

    /// <summary>[rows, width, vocabulary] from row <paramref name="first"/> on.</summary>
    public OrtValue View(long rows, long width, int first = 0) => _isHalf
        ? _half.ViewAt(first * _vocabulary, rows, width, _vocabulary)
        : _single.ViewAt(first * _vocabulary, rows, width, _vocabulary);

    /// <summary>For the caller to write to, until the next call or run.</summary>
    public Span<float> Row(int index)
    {
        if (!_isHalf) return _single.Span.Slice(index * _vocabulary, _vocabulary);
        TensorPrimitives.ConvertToSingle(_half.Span.Slice(index * _vocabulary, _vocabulary), _row);
        return _row;
    }

    public void Dispose()
    {
        _single.Dispose();
        _half.Dispose();
    }
}
