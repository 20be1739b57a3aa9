namespace R1Serverless.Images;

/// <summary>What an image may take. All of it is known from the file's header, before a pixel is decoded.</summary>
public sealed record ImageLimits
{
    /// <summary>The limits of a server: while an image is read it takes about 8 bytes of memory for each of its pixels.</summary>
    public static readonly ImageLimits Default = new();

    /// <summary>Of the encoded file.</summary>
    public int MaxBytes { get; init; } = 32 * 1024 * 1024;

    /// <summary>Width times height, as encoded and as resized.</summary>
    public long MaxPixels { get; init; } = 40_000_000;

    /// <summary>Width or height: a strip of very many pixels would need as many weights.</summary>
    public int MaxEdge { get; init; } = 65_535;
}
