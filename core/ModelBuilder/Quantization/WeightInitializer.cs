using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.ModelBuilder.Graphs;

namespace R1Serverless.ModelBuilder.Quantization;

/// <summary>
/// Checkpoint tensors one after the other along the first axis, in a format: [outputs, inputs] as they are, or transposed to a MatMul operand
/// [inputs, outputs].
/// Rows are read once, in blocks, and encoded on all cores.
/// </summary>
internal sealed class WeightInitializer(string name, IReadOnlyList<CheckpointTensor> parts, RowFormat format, bool transposed = false)
    : Initializer(name, format.Type, ShapeOf(parts, format, transposed))
{
    private const int Tile = 32;

    public override IReadOnlyList<CheckpointTensor> Sources => parts;

    public override void Write(Stream stream)
    {
        var (start, rows) = (stream.Position, parts.Sum(RowsOf));
        format.Begin(rows, WidthOf(parts[0]));
        var first = 0;
        foreach (var part in parts)
        {
            WritePart(part, first, rows, start, stream);
            first += RowsOf(part);
        }

        stream.Position = start + Bytes;
    }

    private void WritePart(CheckpointTensor part, int firstRow, int allRows, long start, Stream stream)
    {
        var (rows, width) = (RowsOf(part), WidthOf(part));
        var (height, rowBytes) = (Math.Clamp(PieceElements / Math.Max(width, 1), 1, Math.Max(rows, 1)), format.RowBytes(width));
        var (values, encoded, columns) = (new float[height * width], new byte[height * rowBytes], new byte[transposed ? height * rowBytes : 0]);
        for (var first = 0; first < rows; first += height)
        {
            var (count, at) = (Math.Min(height, rows - first), firstRow + first);
            part.Read((long)first * width, values.AsSpan(0, count * width));
            Parallel.For(0, count, row => format.Encode(values.AsSpan(row * width, width), at + row, encoded.AsSpan(row * rowBytes, rowBytes)));
            if (!transposed)
            {
                stream.Write(encoded, 0, count * rowBytes);
                continue;
            }

            Transpose(encoded, count, width, columns);
            var bytes = count * format.ElementBytes;
            for (var column = 0; column < width; column++)
            {
                stream.Position = start + ((((long)column * allRows) + at) * format.ElementBytes);
                stream.Write(columns, column * bytes, bytes);
            }
        }
    }

    private void Transpose(byte[] source, int rows, int width, byte[] target)
    {
        switch (format.ElementBytes)
        {
            case 1:
                Transpose<byte>(source, rows, width, target);
                break;
            case 2:
                Transpose<ushort>(source, rows, width, target);
                break;
            default:
                Transpose<uint>(source, rows, width, target);
                break;
        }
    }

    /// <summary>In tiles, so that what is read and what is written stay in the cache.</summary>
    private static void Transpose<T>(byte[] source, int rows, int width, byte[] target)
        where T : unmanaged => Parallel.For(0, (width + Tile - 1) / Tile, tile =>
        {
            var from = MemoryMarshal.Cast<byte, T>(source.AsSpan());
            var to = MemoryMarshal.Cast<byte, T>(target.AsSpan());
            var (left, right) = (tile * Tile, Math.Min((tile + 1) * Tile, width));
            for (var top = 0; top < rows; top += Tile)
            {
                var bottom = Math.Min(top + Tile, rows);
                for (var column = left; column < right; column++)
                {
                    for (var row = top; row < bottom; row++) to[(column * rows) + row] = from[(row * width) + column];
                }
            }
        });

    private static long[] ShapeOf(IReadOnlyList<CheckpointTensor> parts, RowFormat format, bool transposed)
    {
        if (parts[0].Shape.Count == 1) return [parts.Sum(part => part.Shape[0])];
        var (outputs, inputs) = (parts.Sum(part => part.Shape[0]), parts[0].Shape[1]);
        return transposed ? [inputs, outputs] : [outputs, .. format.RowShape(inputs)];
    }

    /// <summary>A bias or norm is one row.</summary>
    private static int RowsOf(CheckpointTensor part) => part.Shape.Count == 1 ? 1 : (int)part.Shape[0];

    private static int WidthOf(CheckpointTensor part) => (int)part.Shape[^1];
}

/// <summary>The scales of a quantised weight; added to the graph after the weight, since they are known when that is written.</summary>
/// <param name="step">What one unit of the weight's other factor is worth, where a scale is for both.</param>
internal sealed class ScaleInitializer(string name, IScaled format, long rows, long width, float step = 1)
    : Initializer(name, Onnx.TensorProto.Types.DataType.Float, [.. format.ScaleShape(rows, width)])
{
    public override void Write(Stream stream)
    {
        var scales = format.TakeScales();
        TensorPrimitives.Multiply(scales, step, scales);
        stream.Write(MemoryMarshal.AsBytes(scales.AsSpan()));
    }
}

/// <summary>The zero points of a weight in blocks; added to the graph after the weight.</summary>
internal sealed class ZeroInitializer(string name, BlockRows format, int rows, int blocks)
    : Initializer(name, Onnx.TensorProto.Types.DataType.Uint8, rows, format.ZeroBytes(blocks))
{
    public override void Write(Stream stream) => stream.Write(format.TakeZeros(rows));
}
