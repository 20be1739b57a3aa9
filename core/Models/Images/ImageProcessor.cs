namespace R1Serverless.Models.Images;

/// <summary>What a class of transformers' image processors does where its file does not say.</summary>
/// <param name="Name">Without "ImageProcessor" or "FeatureExtractor".</param>
/// <param name="IsSquare">Whether one number as the size is both edges; else it is the shorter one.</param>
/// <param name="Crop">The edge of the square that is kept; null where nothing is cut off unless the file says so.</param>
/// <param name="Mean">Null where values are not normalized.</param>
internal sealed record ImageProcessor(
    string Name, bool IsSquare, int Edge, ResampleFilter Filter, int? Crop, IReadOnlyList<double>? Mean, IReadOnlyList<double>? Deviation)
{
    /// <summary>The processor whose size is a share of what images are resized to, unless it is 384 or more.</summary>
    public const string ConvNext = "ConvNext";

    /// <summary>The processor that may divide twice and take 1 off.</summary>
    public const string EfficientNet = "EfficientNet";

    /// <summary>The processor that puts blue first.</summary>
    public const string MobileViT = "MobileViT";

    private static readonly double[] Half = [0.5, 0.5, 0.5], ClipMean = [0.48145466, 0.4578275, 0.40821073],
        ClipDeviation = [0.26862954, 0.26130258, 0.27577711];

    private static readonly string[] Endings = ["Fast", "ImageProcessor", "FeatureExtractor"];

    /// <summary>Those of transformers 4 that do nothing which is not done here.</summary>
    private static readonly ImageProcessor[] Known =
    [
        new("ViT", true, 224, ResampleFilter.Bilinear, null, Half, Half), new("DeiT", true, 256, ResampleFilter.Bicubic, 224, Half, Half),
        new("Beit", true, 256, ResampleFilter.Bicubic, 224, Half, Half),
        new("CLIP", false, 224, ResampleFilter.Bicubic, 224, ClipMean, ClipDeviation),
        new("Bit", false, 224, ResampleFilter.Bicubic, 224, ClipMean, ClipDeviation),
        new(ConvNext, false, 384, ResampleFilter.Bilinear, null, Half, Half),
        new(EfficientNet, true, 346, ResampleFilter.Nearest, null, Half, Half),
        new("MobileNetV1", false, 256, ResampleFilter.Bilinear, 224, Half, Half),
        new("MobileNetV2", false, 256, ResampleFilter.Bilinear, 224, Half, Half),
        new(MobileViT, false, 224, ResampleFilter.Bilinear, 256, null, null), new("Siglip", true, 224, ResampleFilter.Bicubic, null, Half, Half),
    ];

    public static IEnumerable<string> Names => Known.Select(one => $"{one.Name}ImageProcessor");

    /// <summary>The class of that name, of whatever generation; null where it is not known here.</summary>
    public static ImageProcessor? Find(string name)
    {
        foreach (var ending in Endings)
        {
            if (name.EndsWith(ending, StringComparison.Ordinal)) name = name[..^ending.Length];
        }

        return Array.Find(Known, one => one.Name == name);
    }
}
