using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using R1Serverless.Models;
using static R1Serverless.ModelBuilder.Onnx.TensorProto.Types;

namespace R1Serverless.ModelBuilder.Quantization;

/// <summary>How a row of weights, one output of a linear layer or one entry of the vocabulary, is written.</summary>
internal abstract class RowFormat(DataType type, int elementBytes)
{
    public DataType Type { get; } = type;

    public int ElementBytes { get; } = elementBytes;

    /// <summary>Bytes of a row of <paramref name="width"/> weights.</summary>
    public virtual int RowBytes(int width) => width * ElementBytes;

    /// <summary>The sizes of what a row becomes.</summary>
    public virtual IReadOnlyList<long> RowShape(long width) => [width];

    /// <summary>Called once before the first row.</summary>
    public virtual void Begin(int rows, int width)
    {
    }

    /// <summary>Writes a row. Different rows may be written by several threads at once.</summary>
    /// <param name="row">The weights.</param>
    /// <param name="index">The row's number.</param>
    /// <param name="destination"><see cref="RowBytes"/> bytes.</param>
    /// <exception cref="InvalidModelException">A weight has no value in this format.</exception>
    public abstract void Encode(ReadOnlySpan<float> row, int index, Span<byte> destination);
}

internal sealed class FloatRows() : RowFormat(DataType.Float, sizeof(float))
{
    public override void Encode(ReadOnlySpan<float> row, int index, Span<byte> destination) => MemoryMarshal.AsBytes(row).CopyTo(destination);
}

internal sealed class HalfRows() : RowFormat(DataType.Float16, 2)
{
    public override void Encode(ReadOnlySpan<float> row, int index, Span<byte> destination)
    {
        var largest = row.IsEmpty ? 0 : TensorPrimitives.MaxMagnitude(row);
        if (!(Math.Abs(largest) <= (float)Half.MaxValue))
            throw new InvalidModelException($"A weight of {largest} has no value in float16: build the model without fp16.");
        TensorPrimitives.ConvertToHalf(row, MemoryMarshal.Cast<byte, Half>(destination));
    }
}
