namespace R1Serverless.Abstractions.Tensors;

/// <summary>A named tensor with its content.</summary>
/// <param name="Name">The input's or output's, as the graph has it.</param>
/// <param name="Type">Of every element.</param>
/// <param name="Shape">No dimension is negative; empty for a scalar, which has one element.</param>
/// <param name="Data">Elements in row-major order, little-endian; of <see cref="TensorType.Bytes"/> see <see cref="ByteElements"/>. It fits the
/// shape.</param>
public sealed record Tensor(string Name, TensorType Type, IReadOnlyList<long> Shape, ReadOnlyMemory<byte> Data)
{
    /// <summary>The product of the dimensions; null where it is beyond what 64 bits hold.</summary>
    /// <param name="shape">No dimension is negative.</param>
    public static long? Elements(IReadOnlyList<long> shape)
    {
        if (shape.Contains(0)) return 0;
        var elements = 1L;
        foreach (var dimension in shape)
        {
            if (elements > long.MaxValue / dimension) return null;
            elements *= dimension;
        }

        return elements;
    }

    /// <summary>Why the content is not what type and shape say, in words for the client and without the tensor's name; null where it is.</summary>
    public string? Misfit()
    {
        if (Elements(Shape) is not { } elements) return $"the shape [{string.Join(",", Shape)}] has more elements than 64 bits can count";
        if (Type != TensorType.Bytes)
        {
            // Without overflow: the content is less than 2 GiB.
            var size = TensorTypes.Size(Type);
            if (Data.Length % size != 0 || Data.Length / size != elements)
                return $"the shape [{string.Join(",", Shape)}] of {TensorTypes.Name(Type)} takes {(decimal)elements * size} bytes, but {Data.Length} "
                    + "came";
            return Type == TensorType.Bool && Data.Span.IndexOfAnyExceptInRange((byte)0, (byte)1) is >= 0 and var at
                ? $"element {at} of BOOL must be 0 or 1, not {Data.Span[at]}" : null;
        }

        var rest = Data.Span;
        var found = 0L;
        while (ByteElements.TryTake(ref rest, out _)) found++;
        if (rest.Length > 0) return $"element {found} of BYTES is cut off: each is its length in four bytes, little-endian, and then its bytes";
        return found == elements ? null : $"the shape [{string.Join(",", Shape)}] takes {elements} elements, but {found} came";
    }
}
