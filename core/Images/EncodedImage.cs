using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace R1Serverless.Images;

/// <summary>An image as clients send it: the file itself, a data URL (RFC 2397) with base64, or base64 alone.</summary>
public static class EncodedImage
{
    private const string Forms = "send the file itself, its base64, or a data URL: data:image/png;base64,…";

    /// <summary>The file's bytes; its format is not looked at.</summary>
    /// <param name="fault">What is wrong, in words to say after "the image"; null where nothing is.</param>
    public static ReadOnlyMemory<byte> Read(ReadOnlyMemory<byte> content, ImageLimits limits, out string? fault)
    {
        var text = content.Span;
        fault = text.Length / 2 > limits.MaxBytes ? ImageDecoder.TooManyBytes(text.Length, limits) : null;
        if (fault is not null) return ReadOnlyMemory<byte>.Empty;
        // Schemes and media types are read in either case (RFC 3986 section 3.1, RFC 2045 section 5.1).
        if (Begins(text, "data:"u8))
        {
            var comma = text.IndexOf((byte)',');
            var media = comma < 0 ? default : text["data:".Length..comma];
            if (!Begins(media, "image/"u8) || media.Length < Base64Mark.Length || !Begins(media[^Base64Mark.Length..], Base64Mark))
            {
                fault = "has a data URL that does not begin with data:image/…;base64,";
                return ReadOnlyMemory<byte>.Empty;
            }

            text = text[(comma + 1)..];
            if (Decode(text) is { } decoded) return decoded;
            fault = "has base64 that can't be decoded: letters, digits, + and / are expected, and = at the end";
            return ReadOnlyMemory<byte>.Empty;
        }

        if (text.Length == 0 || ImageFormat.Find(text) is not null || !Ascii.IsValid(text)) return content;
        // Words may be base64 by chance.
        if (Decode(text) is { } file && ImageFormat.Find(file) is not null) return file;
        fault = $"is neither a file nor base64: {Forms}";
        return ReadOnlyMemory<byte>.Empty;
    }

    private static ReadOnlySpan<byte> Base64Mark => ";base64"u8;

    private static bool Begins(ReadOnlySpan<byte> text, ReadOnlySpan<byte> with) =>
        text.Length >= with.Length && Ascii.EqualsIgnoreCase(text[..with.Length], with);

    /// <summary>Null where it is no base64.</summary>
    private static byte[]? Decode(ReadOnlySpan<byte> base64)
    {
        var bytes = new byte[Base64.GetMaxDecodedFromUtf8Length(base64.Length)];
        return Base64.DecodeFromUtf8(base64, bytes, out _, out var written) == OperationStatus.Done ? bytes[..written] : null;
    }
}
