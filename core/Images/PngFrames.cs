using System.Buffers.Binary;

namespace R1Serverless.Images;

/// <summary>Frames of a PNG, which Skia does not count: animated ones look like others to decoders that don't know of them (PNG, third edition,
/// sections 5 and 11.3.6).</summary>
internal static class PngFrames
{
    private const int SignatureBytes = 8, HeadBytes = 8, CheckBytes = 4, LeastBytes = 4;

    /// <summary>By the chunk that says so, which stands before the first frame's content; 1 where there is none, and of other files.</summary>
    public static long Count(ReadOnlySpan<byte> file)
    {
        if (ImageFormat.Find(file) != "PNG") return 1;
        for (var rest = file[SignatureBytes..]; rest.Length >= HeadBytes + LeastBytes;)
        {
            var type = rest[4..HeadBytes];
            if (type.SequenceEqual("acTL"u8)) return BinaryPrimitives.ReadUInt32BigEndian(rest[HeadBytes..]);
            var next = HeadBytes + (long)BinaryPrimitives.ReadUInt32BigEndian(rest) + CheckBytes;
            if (type.SequenceEqual("IDAT"u8) || next > rest.Length) break;
            rest = rest[(int)next..];
        }

        return 1;
    }
}
