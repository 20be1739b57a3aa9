using System.Numerics.Tensors;

namespace R1Serverless.ModelBuilder.Checkpoints;

/// <summary>A tensor, or some of its rows, and the file that holds it.</summary>
internal readonly record struct CheckpointTensor(SafeTensors File, SafeTensor Tensor)
{
    private long FirstRow { get; init; }

    private long? RowCount { get; init; }

    private float Offset { get; init; }

    /// <summary>Of weights in 8 bits.</summary>
    public BlockScales? Scales { private get; init; }

    public IReadOnlyList<long> Shape => RowCount is { } rows ? [rows, .. Tensor.Shape.Skip(1)] : Tensor.Shape;

    /// <summary>A part of a tensor with two dimensions.</summary>
    public CheckpointTensor Rows(long first, long count) => this with { FirstRow = FirstRow + first, RowCount = count };

    /// <summary>With this added to every element.</summary>
    public CheckpointTensor Plus(float offset) => this with { Offset = offset };

    /// <param name="first">An element of this part.</param>
    /// <param name="destination">Gets as many elements as it has room for.</param>
    public void Read(long first, Span<float> destination)
    {
        first += FirstRow * Tensor.Shape[^1];
        File.Read(Tensor, first, destination);
        Scales?.Multiply(destination, first, Tensor.Shape[^1]);
        if (Offset != 0) TensorPrimitives.Add(destination, Offset, destination);
    }
}
