using System.Buffers.Binary;
using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Api.OpenInference;

/// <summary>Floating-point elements of any type as doubles, which hold each of them exactly.</summary>
internal static class TensorFloats
{
    private const ushort BFloat16NaN = 0x7FC0;

    public static bool Are(TensorType type) => type is TensorType.Float16 or TensorType.Float32 or TensorType.Float64 or TensorType.BFloat16;

    public static float FromBFloat16(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    /// <summary>Writes the nearest element, ties to even; false where a finite number is beyond the type's range.</summary>
    public static bool TryWrite(TensorType type, double value, Span<byte> at)
    {
        switch (type)
        {
            case TensorType.Float16:
                var half = (Half)value;
                BinaryPrimitives.WriteHalfLittleEndian(at, half);
                return Half.IsInfinity(half) == double.IsInfinity(value);
            case TensorType.BFloat16:
                var bits = ToBFloat16(value);
                BinaryPrimitives.WriteUInt16LittleEndian(at, bits);
                return float.IsInfinity(FromBFloat16(bits)) == double.IsInfinity(value);
            case TensorType.Float32:
                var single = (float)value;
                BinaryPrimitives.WriteSingleLittleEndian(at, single);
                return float.IsInfinity(single) == double.IsInfinity(value);
            default:
                BinaryPrimitives.WriteDoubleLittleEndian(at, value);
                return true;
        }
    }

    private static ushort ToBFloat16(double value)
    {
        if (double.IsNaN(value)) return BFloat16NaN;
        var single = (float)value;
        var bits = BitConverter.SingleToUInt32Bits(single);
        if (float.IsInfinity(single)) return (ushort)(bits >> 16);
        // Rounded twice, a number just beside a tie would become one: what the first rounding lost stays as a lowest bit.
        if (single != value)
        {
            if (Math.Abs((double)single) > Math.Abs(value)) bits--;
            bits |= 1;
        }

        return (ushort)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
    }
}
