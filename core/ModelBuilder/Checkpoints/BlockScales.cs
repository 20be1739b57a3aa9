using System.Numerics.Tensors;
using R1Serverless.Models;

namespace R1Serverless.ModelBuilder.Checkpoints;

/// <summary>What the blocks of a weight in 8 bits are multiplied by (<c>weight_scale_inv</c>, [rows of blocks, columns of blocks]); those at the
/// lower and right edge may be cut off.</summary>
internal sealed class BlockScales
{
    private readonly float[] _values;
    private readonly long _width;
    private readonly WeightBlock _block;

    /// <exception cref="InvalidModelException">The file has become shorter.</exception>
    public BlockScales(CheckpointTensor tensor, WeightBlock block)
    {
        (_values, _width, _block) = (new float[tensor.Tensor.Elements], tensor.Shape[1], block);
        tensor.Read(0, _values);
    }

    /// <param name="values">Elements of the weight, one after the other.</param>
    /// <param name="first">The place of the first of them.</param>
    /// <param name="width">Of the weight's rows.</param>
    public void Multiply(Span<float> values, long first, long width)
    {
        while (!values.IsEmpty)
        {
            var (row, column) = Math.DivRem(first, width);
            var end = Math.Min(width, ((column / _block.Columns) + 1) * _block.Columns);
            var part = values[..(int)Math.Min(end - column, values.Length)];
            TensorPrimitives.Multiply(part, _values[(row / _block.Rows * _width) + (column / _block.Columns)], part);
            first += part.Length;
            values = values[part.Length..];
        }
    }
}
