using System.Buffers;
using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace R1Serverless.Queues;

/// <summary>The contents of tensors and images in a message, as they are: in base64 they would take a third more. A message with such contents is a
/// zero byte, the length of its JSON (four bytes, little-endian), the JSON, and then the contents one after the other; in the JSON each is
/// <c>[offset, length]</c>, in bytes from the first content's beginning. A message without is its JSON alone, as are contents of a few bytes, in
/// base64.</summary>
internal sealed class BinaryParts : JsonConverter<ReadOnlyMemory<byte>>
{
    /// <summary>What is shorter stays in the JSON, where an operator can see it.</summary>
    private const int MinLength = 256;

    private const int HeadLength = 1 + sizeof(int);

    // A converter is told nothing of the message; writing and reading are synchronous.
    [ThreadStatic]
    private static ArrayBufferWriter<byte>? t_written;

    [ThreadStatic]
    private static ReadOnlyMemory<byte> t_read;

    /// <summary>A message of what <paramref name="write"/> serializes.</summary>
    public static byte[] Write(Func<byte[]> write)
    {
        var outer = t_written;
        try
        {
            t_written = null;
            var json = write();
            if (t_written is not { } contents) return json;
            var message = new byte[HeadLength + json.Length + contents.WrittenCount];
            BinaryPrimitives.WriteInt32LittleEndian(message.AsSpan(1), json.Length);
            json.CopyTo(message, HeadLength);
            contents.WrittenSpan.CopyTo(message.AsSpan(HeadLength + json.Length));
            return message;
        }
        finally
        {
            t_written = outer;
        }
    }

    /// <summary>Reads a message; contents are parts of it, not copied.</summary>
    /// <exception cref="MalformedMessageException">It says that its JSON is longer than it is itself.</exception>
    public static T? Read<T>(ReadOnlyMemory<byte> message, Func<ReadOnlyMemory<byte>, T?> read)
    {
        try
        {
            if (message.Length == 0 || message.Span[0] != 0) return read(message);
            if (message.Length < HeadLength || BinaryPrimitives.ReadInt32LittleEndian(message.Span[1..]) is var length
                && (length < 0 || length > message.Length - HeadLength))
                throw new MalformedMessageException("it is cut off");
            t_read = message[(HeadLength + length)..];
            return read(message.Slice(HeadLength, length));
        }
        finally
        {
            t_read = default;
        }
    }

    public override ReadOnlyMemory<byte> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String) return reader.GetBytesFromBase64();
        if (reader.TokenType != JsonTokenType.StartArray || !reader.Read() || !reader.TryGetInt32(out var offset) || !reader.Read()
            || !reader.TryGetInt32(out var length) || !reader.Read() || reader.TokenType != JsonTokenType.EndArray)
            throw new JsonException("Expected base64, or where the content is.");
        return offset >= 0 && length >= 0 && offset <= t_read.Length - length
            ? t_read.Slice(offset, length) : throw new JsonException("The content is cut off.");
    }

    public override void Write(Utf8JsonWriter writer, ReadOnlyMemory<byte> value, JsonSerializerOptions options)
    {
        if (value.Length < MinLength)
        {
            writer.WriteBase64StringValue(value.Span);
            return;
        }

        t_written ??= new ArrayBufferWriter<byte>(value.Length);
        writer.WriteStartArray();
        writer.WriteNumberValue(t_written.WrittenCount);
        writer.WriteNumberValue(value.Length);
        writer.WriteEndArray();
        t_written.Write(value.Span);
    }
}
