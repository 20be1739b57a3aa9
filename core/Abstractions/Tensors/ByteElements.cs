using System.Buffers;
using System.Buffers.Binary;

namespace R1Serverless.Abstractions.Tensors;

/// <summary>The content of a tensor of <see cref="TensorType.Bytes"/>: each element is its length (four bytes, unsigned, little-endian) and then its
/// bytes, as in the binary data of the Open Inference Protocol v2.</summary>
public static class ByteElements
{
    private const int Length = sizeof(uint);

    public static void Add(IBufferWriter<byte> content, ReadOnlySpan<byte> element)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(content.GetSpan(Length), (uint)element.Length);
        content.Advance(Length);
        content.Write(element);
    }

    /// <summary>The first element; the rest stays. False where it is cut off.</summary>
    public static bool TryTake(ref ReadOnlySpan<byte> content, out ReadOnlySpan<byte> element)
    {
        element = default;
        if (content.Length < Length || BinaryPrimitives.ReadUInt32LittleEndian(content) is var length && length > content.Length - Length)
            return false;
        element = content.Slice(Length, (int)length);
        content = content[(Length + element.Length)..];
        return true;
    }

    /// <summary>The same of content that fits its tensor's shape, of which something is left.</summary>
    public static ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> content) => TryTake(ref content, out var element) ? element
        : throw new ArgumentException("An element is cut off.", nameof(content));

    /// <summary>The same without a copy of the element.</summary>
    public static ReadOnlyMemory<byte> Take(ref ReadOnlyMemory<byte> content)
    {
        var rest = content.Span;
        var length = Take(ref rest).Length;
        var element = content.Slice(Length, length);
        content = content[(Length + length)..];
        return element;
    }
}
