using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Unicode;
using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Api.OpenInference;

/// <summary>Writes a tensor's elements as JSON, in row-major order: whole numbers exactly, floats as the shortest number that reads as the same
/// bits.</summary>
internal static class TensorDataWriter
{
    // What the writer may hold before it hands it on.
    private const int Held = 1 << 16;

    /// <param name="json">Inside an array.</param>
    /// <param name="isBase64">Whether elements of BYTES are written in base64.</param>
    /// <param name="isStrict">Whether NaN and infinities are written as strings.</param>
    public static void Write(Utf8JsonWriter json, Tensor tensor, bool isBase64, bool isStrict)
    {
        var rest = tensor.Data.Span;
        if (tensor.Type == TensorType.Bytes)
        {
            while (rest.Length > 0)
            {
                var text = ByteElements.Take(ref rest);
                if (isBase64) json.WriteBase64StringValue(text);
                else json.WriteStringValue(text);
                if (json.BytesPending > Held) json.Flush();
            }

            return;
        }

        for (var size = TensorTypes.Size(tensor.Type); rest.Length > 0; rest = rest[size..])
        {
            WriteOne(json, tensor.Type, rest, isStrict);
            if (json.BytesPending > Held) json.Flush();
        }
    }

    /// <summary>Whether every element of BYTES is UTF-8, as JSON's strings are.</summary>
    public static bool IsText(ReadOnlySpan<byte> data)
    {
        while (data.Length > 0)
        {
            if (!Utf8.IsValid(ByteElements.Take(ref data))) return false;
        }

        return true;
    }

    private static void WriteOne(Utf8JsonWriter json, TensorType type, ReadOnlySpan<byte> at, bool isStrict)
    {
        switch (type)
        {
            case TensorType.Bool:
                json.WriteBooleanValue(at[0] != 0);
                break;
            case TensorType.UInt8:
                json.WriteNumberValue((uint)at[0]);
                break;
            case TensorType.UInt16:
                json.WriteNumberValue((uint)BinaryPrimitives.ReadUInt16LittleEndian(at));
                break;
            case TensorType.UInt32:
                json.WriteNumberValue(BinaryPrimitives.ReadUInt32LittleEndian(at));
                break;
            case TensorType.UInt64:
                json.WriteNumberValue(BinaryPrimitives.ReadUInt64LittleEndian(at));
                break;
            case TensorType.Int8:
                json.WriteNumberValue((int)(sbyte)at[0]);
                break;
            case TensorType.Int16:
                json.WriteNumberValue((int)BinaryPrimitives.ReadInt16LittleEndian(at));
                break;
            case TensorType.Int32:
                json.WriteNumberValue(BinaryPrimitives.ReadInt32LittleEndian(at));
                break;
            case TensorType.Int64:
                json.WriteNumberValue(BinaryPrimitives.ReadInt64LittleEndian(at));
                break;
            case TensorType.Float32:
                WriteSingle(json, BinaryPrimitives.ReadSingleLittleEndian(at), isStrict);
                break;
            case TensorType.Float16:
                // A half is exactly a float; a float's shortest number is a few digits longer.
                WriteSingle(json, (float)BinaryPrimitives.ReadHalfLittleEndian(at), isStrict);
                break;
            case TensorType.BFloat16:
                WriteSingle(json, TensorFloats.FromBFloat16(BinaryPrimitives.ReadUInt16LittleEndian(at)), isStrict);
                break;
            case TensorType.Float64:
                var number = BinaryPrimitives.ReadDoubleLittleEndian(at);
                if (double.IsFinite(number)) json.WriteNumberValue(number);
                else WriteWord(json, number, isStrict);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(type));
        }
    }

    private static void WriteSingle(Utf8JsonWriter json, float number, bool isStrict)
    {
        if (float.IsFinite(number)) json.WriteNumberValue(number);
        else WriteWord(json, number, isStrict);
    }

    private static void WriteWord(Utf8JsonWriter json, double number, bool isStrict)
    {
        if (isStrict) json.WriteStringValue(NonFiniteNumbers.Word(number));
        else json.WriteRawValue(NonFiniteNumbers.Word(number), skipInputValidation: true);
    }
}
