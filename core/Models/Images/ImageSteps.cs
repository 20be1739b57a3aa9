namespace R1Serverless.Models.Images;

/// <summary>How an image becomes a graph's input, as preprocessor_config.json says: resized, cropped, rescaled, normalized, in this order.</summary>
public sealed record ImageSteps
{
    /// <summary>Null where images keep their size.</summary>
    public ImageResize? Resize { get; init; }

    /// <summary>What is kept around the middle, black where the image is smaller; null for all of it.</summary>
    public ImageSize? Crop { get; init; }

    /// <summary>What values of 0 to 255 are multiplied by; null for nothing.</summary>
    public double? Factor { get; init; }

    /// <summary>Whether 1 is taken off the rescaled values: with the factor 1/127.5 they are from -1 to 1.</summary>
    public bool TakesOffOne { get; init; }

    /// <summary>What is taken off each of the three channels, red first; null where they are not normalized.</summary>
    public IReadOnlyList<double>? Mean { get; init; }

    /// <summary>What each channel is then divided by; as many as <see cref="Mean"/>.</summary>
    public IReadOnlyList<double>? Deviation { get; init; }

    /// <summary>Whether they are divided by it a second time, as EfficientNet's classifiers have it.</summary>
    public bool DividesTwice { get; init; }

    /// <summary>Whether blue comes first.</summary>
    public bool IsBlueFirst { get; init; }

    /// <summary>The size that every image gets; null where it depends on the image.</summary>
    public ImageSize? Size => Crop ?? Resize?.Size;

    /// <summary>Whether values stay 0 to 255.</summary>
    public bool KeepsBytes => Factor is null && Mean is null;
}

/// <param name="Width">In pixels, at least 1.</param>
/// <param name="Height">In pixels, at least 1.</param>
public readonly record struct ImageSize(int Width, int Height)
{
    public override string ToString() => $"{Width} × {Height}";
}

/// <summary>A resize to a size, or so that the shorter edge gets a length and the ratio stays.</summary>
/// <param name="Size">Null where <paramref name="ShortestEdge"/> is given.</param>
/// <param name="ShortestEdge">In pixels.</param>
public sealed record ImageResize(ImageSize? Size, int? ShortestEdge, ResampleFilter Filter)
{
    /// <summary>The size of an image after it; the longer edge is cut to a whole number, as transformers does, and may be beyond 32 bits.</summary>
    public (long Width, long Height) SizeOf(int width, int height)
    {
        if (Size is { } size) return (size.Width, size.Height);
        long edge = ShortestEdge!.Value;
        return width <= height ? (edge, Longer(height, width)) : (Longer(width, height), edge);

        long Longer(int length, int shorter) => Math.Max(1, (long)((double)(edge * length) / shorter));
    }
}

/// <summary>How pixels are made of others, by Pillow's numbers.</summary>
public enum ResampleFilter
{
    /// <summary>The nearest one.</summary>
    Nearest = 0,

    /// <summary>Lanczos' window of three.</summary>
    Lanczos = 1,

    /// <summary>A triangle.</summary>
    Bilinear = 2,

    /// <summary>Keys' cubic with a = -0.5.</summary>
    Bicubic = 3,

    /// <summary>The mean.</summary>
    Box = 4,

    /// <summary>Hamming's window of one.</summary>
    Hamming = 5,
}
