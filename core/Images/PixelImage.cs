namespace R1Serverless.Images;

/// <summary>Pixels in memory, row by row from the top left.</summary>
/// <param name="width">In pixels, at least 1.</param>
/// <param name="height">In pixels, at least 1.</param>
/// <param name="pixels">Width times height of them: red in the lowest 8 bits, then green and blue. The highest 8 bits are of no account.</param>
public sealed class PixelImage(int width, int height, uint[] pixels)
{
    public int Width => width;

    public int Height => height;

    internal uint[] Pixels => pixels;

    public ReadOnlySpan<uint> Row(int y) => pixels.AsSpan(y * width, width);
}
