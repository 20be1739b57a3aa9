using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using R1Serverless.Images;

namespace R1Serverless.Tests.Images;

public sealed class ImageDecoderTests
{
    /// <summary>Files, and the digest of Pillow's pixels.</summary>
    public static TheoryData<string, byte[], string> Published => new()
    {
        { "png", Pictures.Png, "8d321c33e269ce7e" }, { "palette", Pictures.PngPalette, "58c1e8772ea12b3a" },
        { "gray", Pictures.PngGray, "57d1b3420a6652ec" }, { "bits", Pictures.PngBits, "2f9ecae3df6f26eb" },
        { "webp", Pictures.WebpLossless, "8d321c33e269ce7e" }, { "lossy webp", Pictures.Webp, "f3eeeaffadd74785" },
        { "jpeg", Pictures.Jpeg, "b98a21c4bc7c6c51" }, { "gray jpeg", Pictures.JpegGray, "a274bd1cf02471f3" },
        { "progressive jpeg", Pictures.JpegProgressive, "b98a21c4bc7c6c51" },
        // Over white, by Pillow's colours and alpha.
        { "alpha", Pictures.PngAlpha, "dcba47cf2c3587b3" },
    };

    [Theory]
    [MemberData(nameof(Published))]
    public void Files_have_the_reference_s_pixels(string name, byte[] file, string digest) =>
        Assert.Equal((name, digest), (name, Pictures.Digest(Pictures.Rgb(Decode(file)))));

    [Fact]
    public void Four_inks_become_three_colours()
    {
        var image = Decode(Pictures.JpegCmyk);
        Assert.Equal((24, 16), (image.Width, image.Height));
        Assert.InRange((int)(image.Row(0)[0] & 255), 0, 12);
        Assert.InRange((int)(image.Row(15)[23] & 255), 243, 255);
    }

    /// <summary>By what EXIF says of the first row and column, a stored picture of 24 × 16 lies in eight ways.</summary>
    [Theory]
    [InlineData(1, 0, 0, 23, 0)]
    [InlineData(2, 23, 0, 0, 0)]
    [InlineData(3, 23, 15, 0, 15)]
    [InlineData(4, 0, 15, 23, 15)]
    [InlineData(5, 0, 0, 0, 15)]
    [InlineData(6, 0, 15, 0, 0)]
    [InlineData(7, 23, 15, 23, 0)]
    [InlineData(8, 23, 0, 23, 15)]
    public void Pictures_stand_upright(int tag, int firstX, int firstY, int rightX, int rightY)
    {
        var stored = Decode(Pictures.Jpeg);
        var upright = Decode(WithOrientation(Pictures.Jpeg, tag));
        Assert.Equal(tag > 4 ? (16, 24) : (24, 16), (upright.Width, upright.Height));
        Assert.Equal(stored.Row(firstY)[firstX], upright.Row(0)[0]);
        Assert.Equal(stored.Row(rightY)[rightX], upright.Row(0)[^1]);
        Assert.Equal(Sorted(stored), Sorted(upright));

        static uint[] Sorted(PixelImage image) => [.. Enumerable.Range(0, image.Height).SelectMany(y => image.Row(y).ToArray()).Order()];
    }

    public static TheoryData<string, byte[], string> Refused => new()
    {
        { "empty", [], "has no bytes" },
        { "words", Encoding.ASCII.GetBytes("no picture at all"), "is of no format that is known" },
        { "gif", Pictures.Gif, "is GIF: PNG, JPEG and WebP are taken" },
        { "bmp", Pictures.Bmp, "is BMP" },
        { "tiff", Pictures.Tiff, "is TIFF" },
        { "svg", Encoding.ASCII.GetBytes("<svg xmlns='http://www.w3.org/2000/svg'/>"), "is SVG" },
        { "heif", [0, 0, 0, 24, .. "ftypheic"u8], "is HEIF" },
        { "avif", [0, 0, 0, 24, .. "ftypavif"u8], "is AVIF" },
        { "animated", Pictures.WebpAnimated, "is animated, with 2 frames" },
        { "animated png", Animated(3), "is animated, with 3 frames" },
        { "signature alone", Pictures.Png[..8], "header is damaged or cut off" },
        { "half a header", Pictures.Png[..20], "header is damaged or cut off" },
        { "cut png", Pictures.Png[..^40], "cut off" },
        { "cut jpeg", Pictures.Jpeg[..^60], "cut off" },
        { "cut webp", Pictures.WebpLossless[..^20], "" },
        { "jpeg's mark alone", Pictures.Jpeg[..3], "header is damaged or cut off" },
        { "square bomb", Png(50_000, 50_000), "has 50000 × 50000 pixels; at most 40000000 are taken, and 65535 along an edge" },
        { "strip", Png(65_536, 1), "has 65536 × 1 pixels" },
        { "greatest", Png(int.MaxValue, int.MaxValue), "" },
        { "without width", Png(0, 10), "header is damaged or cut off" },
    };

    [Fact]
    public void A_png_of_one_frame_may_say_so() => Assert.NotNull(ImageDecoder.Decode(Animated(1), ImageLimits.Default, out _));

    /// <summary>With the chunk behind the header that says how many frames there are.</summary>
    private static byte[] Animated(byte frames)
    {
        const int Header = 33;
        return [.. Pictures.Png[..Header], .. Chunk("acTL"u8, [0, 0, 0, frames, 0, 0, 0, 0]), .. Pictures.Png[Header..]];
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public void What_is_no_picture_to_take_is_told_in_words(string name, byte[] file, string words)
    {
        Assert.Null(ImageDecoder.Decode(file, ImageLimits.Default, out var fault));
        Assert.True(fault!.Contains(words, StringComparison.Ordinal), $"{name}: {fault}");
    }

    [Fact]
    public void A_bomb_takes_no_memory()
    {
        var bomb = Png(50_000, 50_000);
        ImageDecoder.Decode(bomb, ImageLimits.Default, out _);
        var (managed, before) = (GC.GetAllocatedBytesForCurrentThread(), Environment.WorkingSet);
        for (var i = 0; i < 100; i++) ImageDecoder.Decode(bomb, ImageLimits.Default, out _);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - managed, 0, 1 << 20);
        // One bitmap of it would be 10 GB.
        Assert.InRange(Environment.WorkingSet - before, long.MinValue, 256 << 20);
    }

    [Fact]
    public void Limits_are_those_that_are_given()
    {
        Assert.NotNull(ImageDecoder.Decode(Pictures.Png, new ImageLimits { MaxPixels = 96 }, out _));
        Assert.Null(ImageDecoder.Decode(Pictures.Png, new ImageLimits { MaxPixels = 95 }, out var pixels));
        Assert.Contains("12 × 8", pixels);
        Assert.Null(ImageDecoder.Decode(Pictures.Png, new ImageLimits { MaxBytes = Pictures.Png.Length - 1 }, out var bytes));
        Assert.Contains($"has {Pictures.Png.Length} bytes; at most", bytes);
    }

    /// <summary>Any byte of a file may be any other: there is an image or a reason, and never an exception.</summary>
    [Fact]
    public void Damaged_files_are_decoded_or_refused()
    {
        var random = new Random(5);
        foreach (var file in (byte[][])[Pictures.Png, Pictures.Jpeg, Pictures.Webp, Pictures.WebpLossless, Pictures.PngPalette, Pictures.PngAlpha])
        {
            for (var i = 0; i < 400; i++)
            {
                byte[] damaged = [.. file];
                for (var hits = random.Next(1, 6); hits > 0; hits--) damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
                var image = ImageDecoder.Decode(damaged.AsSpan(0, random.Next(damaged.Length) + 1), ImageLimits.Default, out var fault);
                Assert.Equal(image is null, fault is not null);
            }
        }
    }

    public static TheoryData<string, string> Texts => new()
    {
        { "data:image/png;base64," + Convert.ToBase64String(Pictures.Png), "" },
        { "data:image/png;charset=x;base64," + Convert.ToBase64String(Pictures.Png), "" },
        { Convert.ToBase64String(Pictures.Png), "" },
        { Convert.ToBase64String(Pictures.Png, Base64FormattingOptions.InsertLineBreaks), "" },
        { "data:image/png," + Convert.ToBase64String(Pictures.Png), "has a data URL that does not begin with data:image/…;base64," },
        { "data:text/plain;base64,aGVsbG8=", "has a data URL that" },
        { "data:", "has a data URL that" },
        { "data:image/png;base64,****", "has base64 that can't be decoded" },
        { "https://example.com/cat.png", "is neither a file nor base64: send the file itself" },
        { "a", "is neither a file nor base64" },
    };

    [Theory]
    [MemberData(nameof(Texts))]
    public void Files_come_as_they_are_as_base64_or_as_a_data_URL(string text, string words)
    {
        var file = EncodedImage.Read(Encoding.UTF8.GetBytes(text), ImageLimits.Default, out var fault);
        if (words.Length == 0) Assert.Equal(Pictures.Png, file.ToArray());
        else Assert.Contains(words, fault);
        Assert.Equal(words.Length == 0, fault is null);
        Assert.Equal(Pictures.Gif, EncodedImage.Read(Pictures.Gif, ImageLimits.Default, out _).ToArray());
    }

    internal static PixelImage Decode(byte[] file)
    {
        var image = ImageDecoder.Decode(file, ImageLimits.Default, out var fault);
        Assert.Null(fault);
        return image!;
    }

    /// <summary>A file whose header says so, and that has no such pixels.</summary>
    internal static byte[] Png(int width, int height)
    {
        byte[] header = [0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        using MemoryStream zeros = new();
        using (ZLibStream packed = new(zeros, CompressionLevel.Optimal, leaveOpen: true)) packed.Write(new byte[1 << 20]);
        return [.. Pictures.Png[..8], .. Chunk("IHDR"u8, header), .. Chunk("IDAT"u8, zeros.ToArray()), .. Chunk("IEND"u8, [])];
    }

    private static byte[] Chunk(ReadOnlySpan<byte> type, byte[] content)
    {
        byte[] checkedPart = [.. type, .. content];
        var chunk = new byte[content.Length + 12];
        BinaryPrimitives.WriteInt32BigEndian(chunk, content.Length);
        checkedPart.CopyTo(chunk, 4);
        var crc = uint.MaxValue;
        foreach (var one in checkedPart)
        {
            crc ^= one;
            for (var bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0xEDB88320 & (uint)-(int)(crc & 1));
        }

        BinaryPrimitives.WriteUInt32BigEndian(chunk.AsSpan(content.Length + 8), ~crc);
        return chunk;
    }

    /// <summary>With a segment of EXIF behind the JPEG's first mark.</summary>
    private static byte[] WithOrientation(byte[] jpeg, int tag) =>
    [
        .. jpeg[..2], 0xFF, 0xE1, 0, 34, .. "Exif\0\0MM\0*"u8, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, (byte)tag, 0, 0, 0, 0, 0, 0,
        .. jpeg[2..],
    ];
}
