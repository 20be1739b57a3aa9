using System.Runtime.InteropServices;
using R1Serverless.Building.Onnx;

namespace R1Serverless.Building;

/// <summary>A constant of the graph whose value is produced in pieces, so that a large model never has to be in memory.</summary>
internal abstract class Initializer(string name, TensorProto.Types.DataType type, params long[] shape)
{
    /// <summary>The largest piece, in elements.</summary>
    protected const int PieceElements = 1 << 22;

    public string Name { get; } = name;

    public TensorProto.Types.DataType Type { get; } = type;

    public IReadOnlyList<long> Shape { get; } = shape;

    public long Bytes { get; } = shape.Aggregate(type == TensorProto.Types.DataType.Int64 ? 8L : 4L, (product, size) => product * size);

    /// <summary>Writes exactly <see cref="Bytes"/> bytes, row-major, little-endian.</summary>
    public abstract void Write(Stream stream);
}

/// <summary>A value computed by the builder.</summary>
internal sealed class ComputedInitializer<T>(string name, TensorProto.Types.DataType type, T[] values, params long[] shape) : Initializer(name, type, shape)
    where T : unmanaged
{
    public override void Write(Stream stream)
    {
        for (var i = 0; i < values.Length; i += PieceElements)
        {
            stream.Write(MemoryMarshal.AsBytes(values.AsSpan(i, Math.Min(PieceElements, values.Length - i))));
        }
    }
}

/// <summary>Checkpoint tensors one after the other along the first axis, as they are.</summary>
internal sealed class CopiedInitializer(string name, IReadOnlyList<CheckpointTensor> parts)
    : Initializer(name, TensorProto.Types.DataType.Float, [parts.Sum(part => part.Shape[0]), .. parts[0].Shape.Skip(1)])
{
    public override void Write(Stream stream)
    {
        foreach (var part in parts)
        {
            var piece = new float[Math.Min(PieceElements, part.Tensor.Elements)];
            for (long first = 0; first < part.Tensor.Elements; first += piece.Length)
            {
                var count = (int)Math.Min(piece.Length, part.Tensor.Elements - first);
                part.Read(first, piece.AsSpan(0, count));
                stream.Write(MemoryMarshal.AsBytes(piece.AsSpan(0, count)));
            }
        }
    }
}

/// <summary>Linear layers [outputs, inputs] side by side as one MatMul operand [inputs, sum of outputs].</summary>
internal sealed class TransposedInitializer(string name, IReadOnlyList<CheckpointTensor> parts)
    : Initializer(name, TensorProto.Types.DataType.Float, parts[0].Shape[1], parts.Sum(part => part.Shape[0]))
{
    private const int Tile = 16;

    public override void Write(Stream stream)
    {
        var (inputs, outputs) = ((int)Shape[0], (int)Shape[1]);
        var height = Math.Clamp(PieceElements / outputs, 1, inputs);
        var (panel, tile) = (new float[(long)height * outputs], new float[Tile * height]);
        for (var top = 0; top < inputs; top += height)
        {
            var rows = Math.Min(height, inputs - top);
            var left = 0;
            foreach (var part in parts)
            {
                FillPanel(part, top, rows, panel, left, outputs, tile);
                left += (int)part.Shape[0];
            }

            stream.Write(MemoryMarshal.AsBytes(panel.AsSpan(0, rows * outputs)));
        }
    }

    /// <summary>Tiles of 16 outputs, so that each write to the panel fills a cache line.</summary>
    private static void FillPanel(CheckpointTensor part, int top, int rows, float[] panel, int left, int stride, float[] tile)
    {
        var (outputs, inputs) = ((int)part.Shape[0], part.Shape[1]);
        for (var first = 0; first < outputs; first += Tile)
        {
            var width = Math.Min(Tile, outputs - first);
            for (var i = 0; i < width; i++)
            {
                part.Read(((first + i) * inputs) + top, tile.AsSpan(i * rows, rows));
            }

            for (var row = 0; row < rows; row++)
            {
                var target = panel.AsSpan((row * stride) + left + first, width);
                for (var i = 0; i < width; i++)
                {
                    target[i] = tile[(i * rows) + row];
                }
            }
        }
    }
}
