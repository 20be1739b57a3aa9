using System.Buffers;
using System.Buffers.Binary;
using System.Text.Json;
using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Api.OpenInference;

/// <summary>Reads a tensor's <c>data</c> from JSON: flat in row-major order, or nested as the shape is.</summary>
internal static class TensorDataReader
{
    private const int LongestShown = 32;

    /// <summary>The content of the tensor, or null with the fault.</summary>
    /// <param name="json">On the first token of the value; afterwards on its last.</param>
    /// <param name="longest">Bytes of the whole JSON, which hold no more elements than that.</param>
    /// <exception cref="JsonException">It is not JSON.</exception>
    /// <exception cref="InvalidOperationException">A text is no Unicode.</exception>
    public static ReadOnlyMemory<byte>? Read(ref Utf8JsonReader json, TensorType type, IReadOnlyList<long> shape, int longest, out string? fault)
    {
        if (Tensor.Elements(shape) is not { } elements || elements > longest
            || elements * Math.Max(1, TensorTypes.Size(type)) > Array.MaxLength)
        {
            fault = $"the shape [{string.Join(",", shape)}] takes more elements than 'data' has";
            return null;
        }

        Content content = new(type, (int)elements);
        fault = json.TokenType == JsonTokenType.StartArray ? ReadArray(ref json, shape, elements, content)
            : shape.Count == 0 ? content.Add(ref json)
            : $"'data' must be an array, not {Shown(ref json)}";
        // Without the cast null would be converted to empty memory, by way of an array.
        return fault is null ? (ReadOnlyMemory<byte>?)content.Written : null;
    }

    private static string? ReadArray(ref Utf8JsonReader json, IReadOnlyList<long> shape, long elements, Content content)
    {
        // Entries so far of each array that is open; the outermost has the index 1.
        Span<long> entries = stackalloc long[InferLimits.Rank + 2];
        var (depth, isNested) = (1, false);
        while (json.Read())
        {
            switch (json.TokenType)
            {
                case JsonTokenType.StartArray:
                    if (depth == 1 && entries[1] == 0) isNested = true;
                    if (!isNested || depth >= shape.Count) return $"'data' is nested deeper than the shape [{string.Join(",", shape)}]";
                    entries[depth]++;
                    entries[++depth] = 0;
                    break;
                case JsonTokenType.EndArray:
                    if (isNested && entries[depth] != shape[depth - 1])
                        return $"an array of 'data' has {entries[depth]} entries at depth {depth}, where the shape [{string.Join(",", shape)}] has "
                            + $"{shape[depth - 1]}";
                    if (--depth > 0) break;
                    return content.Count == elements ? null
                        : $"the shape [{string.Join(",", shape)}] takes {elements} elements, but 'data' has {content.Count}";
                default:
                    if (isNested && depth != shape.Count)
                        return $"'data' has an element at depth {depth}, where the shape [{string.Join(",", shape)}] has arrays";
                    entries[depth]++;
                    if (content.Count == elements) return $"the shape [{string.Join(",", shape)}] takes {elements} elements, but 'data' has more";
                    if (content.Add(ref json) is { } fault) return fault;
                    break;
            }
        }

        return "'data' does not end";
    }

    private static string Shown(ref Utf8JsonReader json) => json.TokenType switch
    {
        JsonTokenType.String => "a string",
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "an array",
        JsonTokenType.Number when json.ValueSpan.Length <= LongestShown => System.Text.Encoding.ASCII.GetString(json.ValueSpan),
        JsonTokenType.Number => "such a number",
        JsonTokenType.True => "true",
        JsonTokenType.False => "false",
        _ => "null",
    };

    /// <summary>The elements as they come.</summary>
    private sealed class Content(TensorType type, int elements)
    {
        private readonly int _size = TensorTypes.Size(type);
        private readonly byte[] _fixed = type == TensorType.Bytes ? [] : new byte[elements * TensorTypes.Size(type)];
        private readonly ArrayBufferWriter<byte>? _texts = type == TensorType.Bytes ? new() : null;

        public int Count { get; private set; }

        public ReadOnlyMemory<byte> Written => _texts?.WrittenMemory ?? _fixed;

        /// <summary>Adds the element under the reader; the fault where it is none of this type.</summary>
        public string? Add(ref Utf8JsonReader json)
        {
            var isRight = _texts is not null ? TryAddText(ref json) : TryPut(ref json, _fixed.AsSpan(Count * _size, _size));
            if (!isRight) return $"element {Count} of {TensorTypes.Name(type)} must be {Expected}, not {Shown(ref json)}";
            Count++;
            return null;
        }

        private string Expected => type switch
        {
            TensorType.Bool => "true or false",
            TensorType.Bytes => "a string",
            TensorType.Float16 or TensorType.Float32 or TensorType.Float64 or TensorType.BFloat16 => "a number within the type's range",
            TensorType.UInt64 => $"a whole number from 0 to {ulong.MaxValue}",
            _ => $"a whole number from {Range.Least} to {Range.Most}",
        };

        private (long Least, long Most) Range => type switch
        {
            TensorType.UInt8 => (0, byte.MaxValue),
            TensorType.UInt16 => (0, ushort.MaxValue),
            TensorType.UInt32 => (0, uint.MaxValue),
            TensorType.Int8 => (sbyte.MinValue, sbyte.MaxValue),
            TensorType.Int16 => (short.MinValue, short.MaxValue),
            TensorType.Int32 => (int.MinValue, int.MaxValue),
            _ => (long.MinValue, long.MaxValue),
        };

        private bool TryPut(ref Utf8JsonReader json, Span<byte> at)
        {
            if (type == TensorType.Bool)
            {
                at[0] = json.TokenType == JsonTokenType.True ? (byte)1 : (byte)0;
                return json.TokenType is JsonTokenType.True or JsonTokenType.False;
            }

            if (TensorFloats.Are(type)) return TryPutFloat(ref json, at);
            if (json.TokenType != JsonTokenType.Number) return false;
            if (type == TensorType.UInt64)
            {
                if (!json.TryGetUInt64(out var large) && !TryWhole(ref json, out large)) return false;
                BinaryPrimitives.WriteUInt64LittleEndian(at, large);
                return true;
            }

            if (!json.TryGetInt64(out var number) && !TryWhole(ref json, out number)) return false;
            var (least, most) = Range;
            if (number < least || number > most) return false;
            Span<byte> whole = stackalloc byte[sizeof(long)];
            BinaryPrimitives.WriteInt64LittleEndian(whole, number);
            whole[..at.Length].CopyTo(at);
            return true;
        }

        private bool TryPutFloat(ref Utf8JsonReader json, Span<byte> at)
        {
            if (json.TokenType == JsonTokenType.String)
                return NonFiniteNumbers.Find(json.ValueSpan) is { } other && TensorFloats.TryWrite(type, other, at);
            if (json.TokenType != JsonTokenType.Number) return false;
            if (type == TensorType.Float32)
            {
                // At once, not by way of a double, which would round twice.
                if (!json.TryGetSingle(out var single)) return false;
                BinaryPrimitives.WriteSingleLittleEndian(at, single);
                return float.IsFinite(single);
            }

            return json.TryGetDouble(out var number) && double.IsFinite(number) && TensorFloats.TryWrite(type, number, at);
        }

        private bool TryAddText(ref Utf8JsonReader json)
        {
            if (json.TokenType != JsonTokenType.String) return false;
            var place = _texts!.GetSpan(sizeof(uint) + json.ValueSpan.Length);
            var length = json.CopyString(place[sizeof(uint)..]);
            BinaryPrimitives.WriteUInt32LittleEndian(place, (uint)length);
            _texts.Advance(sizeof(uint) + length);
            return true;
        }

        // JSON has one kind of number: 10.0 and 1e1 are 10.
        private static bool TryWhole<T>(ref Utf8JsonReader json, out T number)
            where T : System.Numerics.INumber<T>, System.Numerics.IMinMaxValue<T>
        {
            number = T.Zero;
            if (!json.TryGetDecimal(out var other) || other != decimal.Truncate(other)) return false;
            if (other < decimal.CreateChecked(T.MinValue) || other > decimal.CreateChecked(T.MaxValue)) return false;
            number = T.CreateChecked(other);
            return true;
        }
    }
}
