namespace R1Serverless.Images;

/// <summary>How a camera was held, as EXIF's tag 274 has it.</summary>
internal static class Orientation
{
    /// <summary>The image upright; the same where it is so.</summary>
    /// <param name="tag">1 to 8: where the first row and the first column of the picture are.</param>
    public static PixelImage Apply(PixelImage image, int tag)
    {
        if (tag is <= 1 or > 8) return image;
        var (width, height, from) = (image.Width, image.Height, image.Pixels);
        // The first four keep rows as rows; a step to the right, and one down, in the stored pixels.
        var (first, right, down) = tag switch
        {
            2 => (width - 1, -1, width),
            3 => ((width * height) - 1, -1, -width),
            4 => ((height - 1) * width, 1, -width),
            5 => (0, width, 1),
            6 => ((height - 1) * width, -width, 1),
            7 => ((width * height) - 1, -width, -1),
            _ => (width - 1, width, -1),
        };
        var turned = tag > 4 ? new PixelImage(height, width, Room()) : new PixelImage(width, height, Room());
        var to = turned.Pixels;
        for (int y = 0, i = 0; y < turned.Height; y++)
        {
            for (int x = 0, at = first + (y * down); x < turned.Width; x++, at += right) to[i++] = from[at];
        }

        return turned;

        uint[] Room() => GC.AllocateUninitializedArray<uint>(width * height);
    }
}
