using R1Serverless.ModelBuilder.Onnx;
using R1Serverless.ModelBuilder.Quantization;
using static R1Serverless.ModelBuilder.Onnx.TensorProto.Types;

namespace R1Serverless.ModelBuilder.Tensors;

/// <summary>
/// Weights in 8 bits, with a scale for each output: all of them, where decoders have 7 (<see cref="QuantizedLayout.SafeLimit"/>). With 7 bits
/// MiniLM's vectors had a cosine of 0.9957 with FP32's instead of 0.9972; unsigned, ResNet18 was half as fast (measured). Processors without VNNI cut
/// off sums of two products at 16 bits, unless the session says <c>RuntimeOptions.ExactSums</c>: so no two weights may share a
/// zero point.
/// </summary>
internal static class QuantizedWeights
{
    private static readonly QuantizedLayout.Rows Layout = new(127, Unsigned: false);

    public static DataType Type => Layout.Unsigned ? DataType.Uint8 : DataType.Int8;

    /// <summary>The byte that stands for zero.</summary>
    public static byte Zero => Layout.Unsigned ? (byte)IntegerRows.Zero : (byte)0;

    /// <param name="weights">[outputs, inputs].</param>
    /// <returns>Integers of the same shape, and a scale for each output.</returns>
    /// <exception cref="Models.InvalidModelException">A weight is not a finite number.</exception>
    public static (byte[] Integers, float[] Scales) Round(ReadOnlySpan<float> weights, int outputs)
    {
        var inputs = weights.Length / outputs;
        var format = new IntegerRows(Layout.Limit, Layout.Unsigned);
        var integers = new byte[weights.Length];
        format.Begin(outputs, inputs);
        for (var i = 0; i < outputs; i++) format.Encode(weights.Slice(i * inputs, inputs), i, integers.AsSpan(i * inputs, inputs));
        return (integers, format.TakeScales());
    }

    /// <summary>Makes scales coarser where a bias, kept in steps of input scale times weight scale, would not fit into 32 bits otherwise.</summary>
    public static void Widen(ReadOnlySpan<float> weights, byte[] integers, float[] scales, ReadOnlySpan<float> bias, float inputScale)
    {
        const int most = 1 << 30;
        var inputs = weights.Length / scales.Length;
        for (var i = 0; i < bias.Length; i++)
        {
            var least = Math.Abs(bias[i]) / inputScale / most;
            if (scales[i] >= least) continue;
            scales[i] = least;
            for (var k = i * inputs; k < (i + 1) * inputs; k++) integers[k] = unchecked((byte)((int)MathF.Round(weights[k] / least) + Zero));
        }
    }

    public static T[] Transpose<T>(ReadOnlySpan<T> values, int rows)
    {
        var columns = values.Length / rows;
        var turned = new T[values.Length];
        for (var row = 0; row < rows; row++)
        {
            for (var column = 0; column < columns; column++) turned[(column * rows) + row] = values[(row * columns) + column];
        }

        return turned;
    }

    /// <summary>An attribute's number, or what holds where there is none.</summary>
    public static long Integer(NodeProto node, string name, long otherwise) =>
        node.Attribute.FirstOrDefault(attribute => attribute.Name == name) is { HasI: true } attribute ? attribute.I : otherwise;

    public static float Number(NodeProto node, string name, float otherwise) =>
        node.Attribute.FirstOrDefault(attribute => attribute.Name == name) is { HasF: true } attribute ? attribute.F : otherwise;
}
