using System.Text.Json;
using R1Serverless.Models.Encoders;

namespace R1Serverless.Models.Images;

/// <summary>
/// Reads preprocessor_config.json as transformers' image processors do
/// (https://github.com/huggingface/transformers/tree/v4.57.1/src/transformers/models, image_processing_*.py). What it asks for is done or refused: an
/// image that was prepared otherwise gets a wrong answer without a sign of it.
/// </summary>
/// <param name="config">The file.</param>
/// <param name="processor">The class that wrote it; null where it names none: then a step is taken where its numbers are given.</param>
internal sealed class ImageStepsReader(JsonFields config, ImageProcessor? processor)
{
    private const int LargestEdge = 8192, ConvNextWarps = 384;
    private const double ByteFactor = 1 / 255.0, ConvNextShare = 224 / 256.0;
    private const string Resize = "do_resize", Size = "size", Resample = "resample", CenterCrop = "do_center_crop", CropSize = "crop_size",
        CropShare = "crop_pct", Rescale = "do_rescale", Factor = "rescale_factor", Offset = "rescale_offset", Normalize = "do_normalize",
        Mean = "image_mean", Deviation = "image_std", IncludeTop = "include_top", Flip = "do_flip_channel_order";

    private const string Class = "image_processor_type", OlderClass = "feature_extractor_type";

    private static readonly string[] Understood =
    [
        Resize, Size, Resample, CenterCrop, CropSize, CropShare, Rescale, Factor, Offset, Normalize, Mean, Deviation, IncludeTop, Flip, Class,
        OlderClass,
    ];

    /// <summary>How tensors are handed about in Python, and labels of training; that images have three channels is so here anyway.</summary>
    private static readonly string[] Harmless =
    [
        "_valid_processor_keys", "processor_class", "return_tensors", "data_format", "input_data_format", "device", "disable_grouping",
        "default_to_square", "do_convert_rgb", "do_reduce_labels", "reduce_labels", "model_input_names",
    ];

    private static readonly string[] Filters = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"];

    /// <exception cref="UnservableException">It asks for something that is not done here; the message names the field.</exception>
    /// <exception cref="InvalidModelException">A field is not as transformers writes it.</exception>
    public static ImageSteps Read(JsonFields config)
    {
        var name = config.FindString(Class) ?? config.FindString(OlderClass);
        var processor = name is null ? null : ImageProcessor.Find(name)
            ?? throw Refused(Class, $"'{name}', which is none of {string.Join(", ", ImageProcessor.Names)}");
        return new ImageStepsReader(config, processor).Read();
    }

    private static UnservableException Refused(string field, string problem) => new($"{ModelFiles.ImageFile} has {field} {problem}");

    private ImageSteps Read()
    {
        foreach (var name in config.Names)
        {
            // Switched off is as if it were not there.
            if (!Understood.Contains(name, StringComparer.Ordinal) && !Harmless.Contains(name, StringComparer.Ordinal)
                && config.Find(name) is not { ValueKind: JsonValueKind.False })
                throw Refused(name, "which is not known here");
        }

        if (config.Find(CropShare) is not null && processor?.Name != ImageProcessor.ConvNext)
            throw Refused(CropShare, $"which is known of {ImageProcessor.ConvNext}ImageProcessor only");
        var steps = processor?.Name == ImageProcessor.ConvNext ? ReadShare() : new ImageSteps { Resize = ReadResize(), Crop = ReadCrop() };
        steps = steps with
        {
            Factor = config.FindBoolean(Rescale) ?? true ? config.FindNumber(Factor, 0, 1000) ?? ByteFactor : null,
            IsBlueFirst = config.FindBoolean(Flip) ?? processor?.Name == ImageProcessor.MobileViT,
        };
        if (steps.IsBlueFirst) Only(ImageProcessor.MobileViT, Flip);
        if (config.FindBoolean(Offset) == true)
            steps = steps with { TakesOffOne = steps.Factor is not null && Only(ImageProcessor.EfficientNet, Offset) };
        var normalizes = config.FindBoolean(Normalize) ?? (processor is null ? config.Find(Mean) is not null : processor.Mean is not null);
        if (!normalizes) return steps;
        steps = steps with { Mean = ReadChannels(Mean, -1000, processor?.Mean), Deviation = ReadChannels(Deviation, 1e-6, processor?.Deviation) };
        var isTop = config.FindBoolean(IncludeTop) ?? processor?.Name == ImageProcessor.EfficientNet;
        return isTop ? steps with { DividesTwice = Only(ImageProcessor.EfficientNet, IncludeTop) } : steps;
    }

    private bool Only(string name, string field) => processor is null || processor.Name == name ? true
        : throw Refused(field, $"which is known of {name}ImageProcessor only");

    /// <summary>The size is what is kept of a resize to a little more; large ones are resized to it as they are.</summary>
    private ImageSteps ReadShare()
    {
        if (config.FindBoolean(CenterCrop) == true || config.Find(CropSize) is not null)
            throw Refused(CropSize, $"which is not known of {ImageProcessor.ConvNext}ImageProcessor");
        if (config.FindBoolean(Resize) == false) return new ImageSteps();
        var (filter, (size, shortest)) = (ReadFilter(), ReadSize());
        if (shortest is not { } edge) throw Refused(Size, $"of {size}, which must be one number or a shortest_edge");
        ImageSize square = new(edge, edge);
        if (edge >= ConvNextWarps) return new ImageSteps { Resize = new ImageResize(square, null, filter) };
        var share = config.FindNumber(CropShare, 0.01, 1) ?? ConvNextShare;
        return new ImageSteps { Resize = new ImageResize(null, (int)(edge / share), filter), Crop = square };
    }

    private ImageResize? ReadResize()
    {
        if (!(config.FindBoolean(Resize) ?? (processor is not null || config.Find(Size) is not null))) return null;
        var (size, edge) = ReadSize();
        return new ImageResize(size, edge, ReadFilter());
    }

    private (ImageSize? Size, int? ShortestEdge) ReadSize() => config.Find(Size) switch
    {
        null => processor is null ? throw config.Missing(Size) : Of(processor.Edge),
        { ValueKind: JsonValueKind.Number } => Of(config.Integer(Size, 1, LargestEdge)),
        { ValueKind: JsonValueKind.Array } => (Pair(Size), null),
        { ValueKind: JsonValueKind.Object } => ReadNamed(config.FindObject(Size)!.Value),
        _ => throw config.Invalid(Size, "must be a number or an object"),
    };

    private (ImageSize?, int?) Of(int edge) => processor?.IsSquare ?? true ? (new ImageSize(edge, edge), null) : (null, edge);

    private static (ImageSize?, int?) ReadNamed(JsonFields size)
    {
        if (size.Names.FirstOrDefault(name => name is not ("height" or "width" or "shortest_edge")) is { } other)
            throw Refused($"{Size}.{other}", "which is not known here");
        if (size.FindInteger("shortest_edge", 1, LargestEdge) is not { } edge) return (ReadSides(size), null);
        return size.Names.Count == 1 ? (null, edge) : throw Refused(Size, "with shortest_edge and others, which contradict it");
    }

    private static ImageSize ReadSides(JsonFields size) => new(size.Integer("width", 1, LargestEdge), size.Integer("height", 1, LargestEdge));

    /// <summary>The height comes first.</summary>
    private ImageSize Pair(string field)
    {
        var sides = config.Integers(field);
        return sides.Count == 2 && sides.All(side => side is > 0 and <= LargestEdge) ? new ImageSize(sides[1], sides[0])
            : throw config.Invalid(field, $"must be a height and a width from 1 to {LargestEdge}");
    }

    private ResampleFilter ReadFilter()
    {
        if (config.Find(Resample) is { ValueKind: JsonValueKind.String } name)
            return Array.IndexOf(Filters, name.GetString()) is >= 0 and var at ? (ResampleFilter)at
                : throw Refused(Resample, $"'{name.GetString()}', which is none of {string.Join(", ", Filters)}");
        return config.FindInteger(Resample, 0) switch
        {
            null => processor?.Filter ?? ResampleFilter.Bilinear,
            <= (int)ResampleFilter.Hamming and { } number => (ResampleFilter)number,
            { } number => throw Refused(Resample, $"{number}, which is none of Pillow's numbers, 0 to 5"),
        };
    }

    private ImageSize? ReadCrop()
    {
        var size = config.Find(CropSize);
        if (!(config.FindBoolean(CenterCrop) ?? (processor is null ? size is not null : processor.Crop is not null))) return null;
        return size switch
        {
            null => (processor?.Crop ?? (processor?.Name == ImageProcessor.EfficientNet ? 289 : null)) is { } edge ? new ImageSize(edge, edge)
                : throw config.Missing(CropSize),
            { ValueKind: JsonValueKind.Number } => config.Integer(CropSize, 1, LargestEdge) is var edge ? new ImageSize(edge, edge) : null,
            { ValueKind: JsonValueKind.Array } => Pair(CropSize),
            { ValueKind: JsonValueKind.Object } => ReadSides(config.FindObject(CropSize)!.Value),
            _ => throw config.Invalid(CropSize, "must be a number or an object"),
        };
    }

    /// <summary>One number for all channels, or one for each.</summary>
    private IReadOnlyList<double> ReadChannels(string field, double least, IReadOnlyList<double>? usual) => config.Find(field) switch
    {
        null => usual ?? throw config.Missing(field),
        { ValueKind: JsonValueKind.Number } => config.Number(field, least, 1000) is var all ? [all, all, all] : [],
        _ => config.Numbers(field, 3, least, 1000),
    };
}
