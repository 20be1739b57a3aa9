using SkiaSharp;

namespace R1Serverless.Images;

/// <summary>Decodes PNG, JPEG and WebP with Skia's codecs. Thread-safe.</summary>
public static class ImageDecoder
{
    private const uint Opaque = 0xFF000000, White = 255;

    /// <summary>The image upright, as its EXIF orientation says, over white where it is transparent; its colour profile is not looked at.</summary>
    /// <param name="file">PNG, JPEG or WebP of one frame.</param>
    /// <param name="fault">What is wrong, in words to say after "the image"; null where nothing is.</param>
    public static unsafe PixelImage? Decode(ReadOnlySpan<byte> file, ImageLimits limits, out string? fault)
    {
        fault = file.Length > limits.MaxBytes ? TooManyBytes(file.Length, limits) : ImageFormat.Refusal(file);
        if (fault is not null) return null;
        var format = ImageFormat.Find(file)!;
        fixed (byte* bytes = file)
        {
            using var data = SKData.Create((nint)bytes, file.Length);
            using var codec = SKCodec.Create(data);
            fault = codec is null ? $"is no {format} that can be read: its header is damaged or cut off"
                : Refusal(codec, Math.Max(codec.FrameCount, PngFrames.Count(file)), limits);
            return fault is null ? Decode(codec!, format, out fault) : null;
        }
    }

    internal static string TooManyBytes(long bytes, ImageLimits limits) => $"has {bytes} bytes; at most {limits.MaxBytes} are taken";

    /// <summary>By the header alone.</summary>
    private static string? Refusal(SKCodec codec, long frames, ImageLimits limits)
    {
        var (width, height) = (codec.Info.Width, codec.Info.Height);
        if ((long)width * height > limits.MaxPixels || Math.Max(width, height) > limits.MaxEdge)
            return $"has {width} × {height} pixels; at most {limits.MaxPixels} are taken, and {limits.MaxEdge} along an edge";
        return frames > 1 ? $"is animated, with {frames} frames; one is taken" : null;
    }

    private static unsafe PixelImage? Decode(SKCodec codec, string format, out string? fault)
    {
        var (width, height) = (codec.Info.Width, codec.Info.Height);
        var pixels = GC.AllocateUninitializedArray<uint>(width * height);
        // Without a colour space nothing is converted: what is stored is what models were trained on.
        SKImageInfo wanted = new(width, height, SKColorType.Rgba8888, SKAlphaType.Unpremul, null);
        SKCodecResult result;
        fixed (uint* to = pixels) result = codec.GetPixels(wanted, (nint)to);
        fault = result switch
        {
            SKCodecResult.Success => null,
            SKCodecResult.IncompleteInput => $"is a {format} that is cut off",
            _ => $"is a {format} whose content is damaged",
        };
        if (fault is not null) return null;
        if (codec.Info.AlphaType != SKAlphaType.Opaque) Whiten(pixels);
        return Orientation.Apply(new PixelImage(width, height, pixels), (int)codec.EncodedOrigin);
    }

    private static void Whiten(Span<uint> pixels)
    {
        foreach (ref var pixel in pixels)
        {
            var alpha = pixel >> 24;
            if (alpha == 255) continue;
            var (red, green, blue) = (Over(pixel & 255, alpha), Over((pixel >> 8) & 255, alpha), Over((pixel >> 16) & 255, alpha));
            pixel = Opaque | red | green << 8 | blue << 16;
        }
    }

    private static uint Over(uint value, uint alpha) => ((value * alpha) + (White * (255 - alpha)) + 127) / 255;
}
