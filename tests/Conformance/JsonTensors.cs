using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Json;
using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Tests.Conformance;

/// <summary>Tensors in JSON as a client writes and reads them.</summary>
internal static class JsonTensors
{
    /// <summary>An element as a number: the shortest that reads as the same bits.</summary>
    public static string Element(TensorType type, ReadOnlySpan<byte> at) => type switch
    {
        TensorType.Bool => at[0] == 0 ? "false" : "true",
        TensorType.Float16 => Text((double)BinaryPrimitives.ReadHalfLittleEndian(at)),
        TensorType.BFloat16 => Text((double)BitConverter.UInt32BitsToSingle((uint)BinaryPrimitives.ReadUInt16LittleEndian(at) << 16)),
        TensorType.Float32 => float.IsFinite(BinaryPrimitives.ReadSingleLittleEndian(at))
            ? BinaryPrimitives.ReadSingleLittleEndian(at).ToString("R", CultureInfo.InvariantCulture)
            : Text((double)BinaryPrimitives.ReadSingleLittleEndian(at)),
        TensorType.Float64 => Text(BinaryPrimitives.ReadDoubleLittleEndian(at)),
        TensorType.UInt8 or TensorType.UInt16 or TensorType.UInt32 or TensorType.UInt64 =>
            new System.Numerics.BigInteger(at, isUnsigned: true).ToString(CultureInfo.InvariantCulture),
        _ => new System.Numerics.BigInteger(at).ToString(CultureInfo.InvariantCulture),
    };

    /// <summary>An output with its `data`.</summary>
    /// <param name="output">NaN and infinities as texts.</param>
    public static Tensor Read(JsonElement output)
    {
        var type = TensorTypes.Find(output.GetProperty("datatype").GetString()!)!.Value;
        var isBase64 = output.TryGetProperty("parameters", out var parameters) && parameters.TryGetProperty("data_encoding", out _);
        return Named(output, output.GetProperty("data").EnumerateArray().SelectMany(one => Bytes(type, one, isBase64)).ToArray());
    }

    public static Tensor Named(JsonElement output, ReadOnlyMemory<byte> data) => new(
        output.GetProperty("name").GetString()!, TensorTypes.Find(output.GetProperty("datatype").GetString()!)!.Value,
        [.. output.GetProperty("shape").EnumerateArray().Select(dimension => dimension.GetInt64())], data);

    private static byte[] Bytes(TensorType type, JsonElement one, bool isBase64)
    {
        switch (type)
        {
            case TensorType.Bytes:
                var text = isBase64 ? one.GetBytesFromBase64() : Encoding.UTF8.GetBytes(one.GetString()!);
                return [.. BitConverter.GetBytes(text.Length), .. text];
            case TensorType.Bool:
                return [one.GetBoolean() ? (byte)1 : (byte)0];
            case TensorType.Float16:
                return BitConverter.GetBytes((Half)Number(one));
            case TensorType.BFloat16:
                var bits = BitConverter.SingleToUInt32Bits((float)Number(one));
                // To the nearest, and of two as near the even one.
                return BitConverter.GetBytes(double.IsNaN(Number(one)) ? (ushort)0x7FC0 : (ushort)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16));
            case TensorType.Float32:
                return BitConverter.GetBytes(one.ValueKind == JsonValueKind.Number ? one.GetSingle() : (float)Number(one));
            case TensorType.Float64:
                return BitConverter.GetBytes(Number(one));
            case TensorType.UInt64:
                return BitConverter.GetBytes(one.GetUInt64());
            default:
                return BitConverter.GetBytes(one.GetInt64())[..TensorTypes.Size(type)];
        }
    }

    private static double Number(JsonElement one) => one.ValueKind == JsonValueKind.Number ? one.GetDouble()
        : one.GetString() switch { "NaN" => double.NaN, "Infinity" => double.PositiveInfinity, _ => double.NegativeInfinity };

    private static string Text(double number) => double.IsNaN(number) ? "NaN" : double.IsInfinity(number) ? number > 0 ? "Infinity" : "-Infinity"
        : number.ToString("R", CultureInfo.InvariantCulture);
}
