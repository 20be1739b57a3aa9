using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using R1Serverless.Models;
using static R1Serverless.ModelBuilder.Onnx.TensorProto.Types;

namespace R1Serverless.ModelBuilder.Quantization;

/// <summary>Symmetric integers, -<paramref name="limit"/> to <paramref name="limit"/>, with one scale for a row: the greatest magnitude becomes the
/// limit.
/// Halves round to the even neighbour.</summary>
/// <param name="limit">At most 127.</param>
/// <param name="unsigned">Stored as uint8 with zero at 128, else as int8.</param>
internal sealed class IntegerRows(int limit, bool unsigned = false) : RowFormat(unsigned ? DataType.Uint8 : DataType.Int8, 1), IScaled
{
    public const int Zero = 128;

    /// <summary>Keeps a row of zeros from dividing by zero.</summary>
    private const float MinMagnitude = 1e-10f;

    private float[] _scales = [];

    public override void Begin(int rows, int width) => _scales = new float[rows];

    public IReadOnlyList<long> ScaleShape(long rows, long width) => [rows];

    public float[] TakeScales() => Interlocked.Exchange(ref _scales, []);

    public override void Encode(ReadOnlySpan<float> row, int index, Span<byte> destination)
    {
        var scale = MathF.Max(MathF.Abs(TensorPrimitives.MaxMagnitude(row)), MinMagnitude) / limit;
        if (!float.IsFinite(scale)) throw new InvalidModelException("A weight is not a finite number.");
        _scales[index] = scale;
        Round(row, scale, MemoryMarshal.Cast<byte, sbyte>(destination));
        // -128 + 256 and 127 + 128: in both, only the top bit differs.
        if (unsigned) TensorPrimitives.Xor(destination, (byte)Zero, destination);
    }

    private static void Round(ReadOnlySpan<float> row, float scale, Span<sbyte> destination)
    {
        var i = 0;
        for (; i <= row.Length - Vector256<sbyte>.Count; i += Vector256<sbyte>.Count)
        {
            var low = Vector256.Narrow(Integers(row[i..], scale), Integers(row[(i + 8)..], scale));
            var high = Vector256.Narrow(Integers(row[(i + 16)..], scale), Integers(row[(i + 24)..], scale));
            Vector256.Narrow(low, high).CopyTo(destination[i..]);
        }

        for (; i < row.Length; i++) destination[i] = (sbyte)MathF.Round(row[i] / scale);
    }

    private static Vector256<int> Integers(ReadOnlySpan<float> row, float scale) =>
        Vector256.ConvertToInt32(Vector256.Round(Vector256.Create(row) / Vector256.Create(scale)));
}
