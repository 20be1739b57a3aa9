using System.Runtime.InteropServices;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Images;
using R1Serverless.Models;
using R1Serverless.Models.Images;

namespace R1Serverless.Tests.Images;

/// <summary>From a picture to a graph's input, as preprocessor_config.json says.</summary>
public sealed class ImageTensorTests
{
    private const string Mean = """ "image_mean":[0.485,0.456,0.406],"image_std":[0.229,0.224,0.225] """;

    /// <summary>A file, a picture's size, what comes of it, and the digest of the numbers that transformers' steps give with Pillow 9.4 and
    /// numpy 1.24.</summary>
    public static TheoryData<string, int, int, int, int, string> Published => new()
    {
        { """{"feature_extractor_type":"ViTFeatureExtractor","size":224}""", 301, 203, 224, 224, "888b8259d2d05176" },
        { """{"image_processor_type":"ViTImageProcessor"}""", 64, 48, 224, 224, "a7831d00cfcfbb8d" },
        {
            """
            {"crop_size":{"height":224,"width":224},"do_center_crop":true,"do_convert_rgb":true,"do_normalize":true,"do_rescale":true,"do_resize":true,
            "image_mean":[0.48145466,0.4578275,0.40821073],"image_processor_type":"CLIPImageProcessor","image_std":[0.26862954,0.26130258,0.27577711],
            "resample":3,"rescale_factor":0.00392156862745098,"size":{"shortest_edge":224}}
            """, 301, 203, 224, 224, "1f414b6e9ee75c33"
        },
        { """{"image_processor_type":"CLIPImageProcessorFast"}""", 203, 301, 224, 224, "ebf1e650cbd765ea" },
        {
            """{"feature_extractor_type":"ConvNextFeatureExtractor","crop_pct":0.875,"size":224,"resample":3,""" + Mean + "}", 301, 203, 224, 224,
            "e20f4437771bf8e1"
        },
        {
            """{"image_processor_type":"ConvNextImageProcessor","size":{"shortest_edge":384},"resample":3,""" + Mean + "}", 100, 80, 384, 384,
            "f94df847f100b767"
        },
        {
            """{"image_processor_type":"BitImageProcessor","size":{"shortest_edge":256},"crop_size":224,""" + Mean + "}", 640, 427, 224, 224,
            "510b32f1abaac000"
        },
        {
            """
            {"image_processor_type":"EfficientNetImageProcessor","size":{"height":240,"width":240},"include_top":true,"rescale_offset":false,
            "crop_size":{"height":289,"width":289},"do_center_crop":false,"image_mean":[0.485,0.456,0.406],
            "image_std":[0.47853944,0.4732864,0.47434163],"resample":0}
            """, 301, 203, 240, 240, "174c406af1be0952"
        },
        { """{"image_processor_type":"MobileViTImageProcessor","size":{"shortest_edge":100},"crop_size":131}""", 301, 203, 131, 131, "fd8c86653f6d4e19" },
        { """{"crop_size":[225,300],"image_mean":0.5,"image_std":0.5}""", 301, 200, 300, 225, "f9ec1a903fddeea4" },
        { """{"crop_size":[225,300],"image_mean":0.5,"image_std":0.5}""", 100, 480, 300, 225, "6bc031c77fc30b58" },
    };

    [Theory]
    [MemberData(nameof(Published))]
    public void Numbers_are_the_reference_s_to_the_bit(string config, int width, int height, int newWidth, int newHeight, string digest)
    {
        var tensor = Of(Pictures.Made(width, height), config, TensorType.Float32)!;
        Assert.Equal([1, 3, newHeight, newWidth], tensor.Shape);
        Assert.Equal(digest, Pictures.Digest(tensor.Data.Span));
    }

    [Fact]
    public void Channels_stand_where_the_graph_has_them()
    {
        var image = Pictures.Made(5, 4);
        var config = """{"do_rescale":false}""";
        var first = Of(image, config, TensorType.UInt8)!.Data.ToArray();
        var last = Of(image, config, TensorType.UInt8, isLast: true)!;
        Assert.Equal([1, 4, 5, 3], last.Shape);
        Assert.Equal(Pictures.Rgb(image), last.Data.ToArray());
        for (var i = 0; i < 20; i++)
            Assert.Equal(Convert.ToHexString(last.Data.Span.Slice(i * 3, 3)), $"{first[i]:X2}{first[20 + i]:X2}{first[40 + i]:X2}");
        Assert.Null(Of(image, config, TensorType.UInt8)!.Misfit());
    }

    [Fact]
    public void Half_precision_is_the_nearest_of_single()
    {
        var config = """{"image_processor_type":"ViTImageProcessor","size":8}""";
        var single = MemoryMarshal.Cast<byte, float>(Of(Pictures.Made(9, 9), config, TensorType.Float32)!.Data.Span).ToArray();
        var half = Of(Pictures.Made(9, 9), config, TensorType.Float16)!;
        Assert.Null(half.Misfit());
        Assert.Equal(single.Select(value => (Half)value), MemoryMarshal.Cast<byte, Half>(half.Data.Span).ToArray());
    }

    [Fact]
    public void Values_from_minus_one_to_one()
    {
        var config = """{"image_processor_type":"EfficientNetImageProcessor","do_resize":false,"do_normalize":false,"rescale_offset":true,"""
            + """ "rescale_factor":0.00784313725490196}""";
        var tensor = Of(new PixelImage(3, 1, [0, 0xFFFFFF, 0x808080]), config, TensorType.Float32)!;
        var red = MemoryMarshal.Cast<byte, float>(tensor.Data.Span[..12]).ToArray();
        Assert.Equal([-1, 1], red[..2]);
        Assert.Equal(0.0039216, red[2], 1e-6);
    }

    [Fact]
    public void A_strip_that_would_become_a_bomb_is_refused()
    {
        Assert.Null(Of(Pictures.Made(60_000, 1), """{"image_processor_type":"CLIPImageProcessor"}""", TensorType.Float32, out var fault));
        Assert.Contains("would be resized to 13440000 × 224", fault);
    }

    internal static ImageSteps Steps(string json)
    {
        var path = Path.Combine(Directory.CreateTempSubdirectory("r1-images-").FullName, "preprocessor_config.json");
        try
        {
            File.WriteAllText(path, json);
            return ImageStepsReader.Read(JsonFields.Load(path));
        }
        finally
        {
            Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
        }
    }

    private static Tensor? Of(PixelImage image, string config, TensorType type, bool isLast = false)
    {
        var tensor = Of(image, config, type, out var fault, isLast);
        Assert.Null(fault);
        return tensor;
    }

    private static Tensor? Of(PixelImage image, string config, TensorType type, out string? fault, bool isLast = false) => ImageTensor.Of(
        image, new ImageSettings { Input = "pixel_values", IsChannelsLast = isLast, Steps = Steps(config) }, type, ImageLimits.Default, out fault,
        TestContext.Current.CancellationToken);
}
