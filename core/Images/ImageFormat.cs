namespace R1Serverless.Images;

/// <summary>What a file is, by its first bytes.</summary>
internal static class ImageFormat
{
    public const string Taken = "PNG, JPEG and WebP";

    private static readonly string[] Supported = ["PNG", "JPEG", "WebP"];

    /// <summary>Why a file is not decoded here, by its first bytes, in words to say after "the image"; null where it may be.</summary>
    public static string? Refusal(ReadOnlySpan<byte> file)
    {
        var format = Find(file);
        return file.Length == 0 ? "has no bytes" : format is not null && Supported.Contains(format, StringComparer.Ordinal) ? null
            : $"is {format ?? "of no format that is known"}: {Taken} are taken";
    }

    /// <summary>Its name; null where it is none that people send.</summary>
    public static string? Find(ReadOnlySpan<byte> file) => true switch
    {
        _ when file.StartsWith((ReadOnlySpan<byte>)[0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A]) => "PNG",
        _ when file.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF]) => "JPEG",
        _ when file.StartsWith("RIFF"u8) && Is(file, 8, "WEBP"u8) => "WebP",
        _ when file.StartsWith("GIF8"u8) => "GIF",
        _ when file.StartsWith("II*\0"u8) || file.StartsWith("MM\0*"u8) => "TIFF",
        _ when Is(file, 4, "ftypavif"u8) || Is(file, 4, "ftypavis"u8) => "AVIF",
        _ when Is(file, 4, "ftyphe"u8) || Is(file, 4, "ftypmif1"u8) => "HEIF",
        _ when file.StartsWith("%PDF-"u8) => "PDF",
        _ when file.StartsWith("<svg"u8) || file.StartsWith("<?xml"u8) => "SVG",
        _ when file.StartsWith("BM"u8) && file.Length > 26 && file[6..10].IndexOfAnyExcept((byte)0) < 0 => "BMP",
        _ => null,
    };

    private static bool Is(ReadOnlySpan<byte> file, int at, ReadOnlySpan<byte> mark) => file.Length >= at && file[at..].StartsWith(mark);
}
