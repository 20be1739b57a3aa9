using R1Serverless.Abstractions;
using R1Serverless.Models;
using R1Serverless.Models.Encoders;
using R1Serverless.Models.Images;
using R1Serverless.Tests.Engine.Tensors;
using R1Serverless.Tests.Images;

namespace R1Serverless.Tests.Models.Images;

public sealed class ImageFolderTests
{
    private const string Vit = """{"image_processor_type":"ViTImageProcessor","size":4}""";

    [Theory]
    [InlineData("""{"image_processor_type":"DonutImageProcessor"}""", "image_processor_type 'DonutImageProcessor', which is none of ViTImageProcessor")]
    [InlineData("""{"image_processor_type":"ViTImageProcessor","do_pad":true}""", "has do_pad which is not known here")]
    [InlineData("""{"image_processor_type":"ViTImageProcessor","size_divisor":32}""", "has size_divisor")]
    [InlineData("""{"image_processor_type":"ViTImageProcessor","crop_pct":0.9}""", "has crop_pct which is known of ConvNextImageProcessor only")]
    [InlineData("""{"image_processor_type":"ViTImageProcessor","size":{"longest_edge":300}}""", "has size.longest_edge")]
    [InlineData("""{"image_processor_type":"CLIPImageProcessor","size":{"shortest_edge":3,"height":4}}""", "has size with shortest_edge and others")]
    [InlineData("""{"image_processor_type":"ViTImageProcessor","resample":6}""", "has resample 6")]
    [InlineData("""{"image_processor_type":"ViTImageProcessor","resample":"cubic"}""", "has resample 'cubic'")]
    [InlineData("""{"image_processor_type":"ViTImageProcessor","rescale_offset":true}""", "has rescale_offset")]
    [InlineData("""{"image_processor_type":"ViTImageProcessor","include_top":true}""", "has include_top")]
    [InlineData("""{"image_processor_type":"ViTImageProcessor","do_flip_channel_order":true}""", "has do_flip_channel_order")]
    [InlineData("""{"image_processor_type":"ConvNextImageProcessor","size":{"height":4,"width":4}}""", "has size of 4 × 4")]
    [InlineData("""{"image_processor_type":"ViTImageProcessor"}""", "makes images of 224 × 224, but 'pixel_values' of its graph takes 4 × 4")]
    public void What_is_not_done_is_refused_by_its_field(string config, string words)
    {
        using var folder = TensorFolder.Picture().With("preprocessor_config.json", config);
        var model = folder.Open();
        Assert.Null(model.Images);
        Assert.Contains(words, model.ImageRefusal);
        Assert.False(model.Signature!.Inputs[0].TakesImages);
    }

    [Theory]
    [InlineData("{", "not valid JSON")]
    [InlineData("""{"image_processor_type":"ViTImageProcessor","size":0}""", "the field size must be a whole number")]
    [InlineData("""{"image_processor_type":"ViTImageProcessor","size":100000}""", "the field size must be a whole number")]
    [InlineData("""{"image_processor_type":"ViTImageProcessor","image_mean":[1,2]}""", "the field image_mean must be a list of 3 numbers")]
    [InlineData("""{"image_processor_type":"ViTImageProcessor","image_std":[1,0,1]}""", "the field image_std must be")]
    [InlineData("""{"do_resize":true}""", "the field size is missing")]
    [InlineData("""{"do_normalize":true}""", "the field image_mean is missing")]
    [InlineData("""{"do_center_crop":true}""", "the field crop_size is missing")]
    public void A_damaged_file_is_told_by_its_field(string config, string words)
    {
        using var folder = TensorFolder.Picture().With("preprocessor_config.json", config);
        Assert.Contains(words, Assert.Throws<InvalidModelException>(() => folder.Open()).Message);
    }

    [Fact]
    public void Without_a_class_a_step_is_taken_where_its_numbers_are_given()
    {
        Assert.Equal(new ImageSteps { Factor = 1 / 255.0 }, ImageTensorTests.Steps("{}"));
        var steps = ImageTensorTests.Steps("""{"size":10,"crop_size":8,"image_mean":0.5,"image_std":[1,2,3],"do_pad":false,"data_format":null}""");
        Assert.Equal(new ImageResize(new ImageSize(10, 10), null, ResampleFilter.Bilinear), steps.Resize);
        Assert.Equal(new ImageSize(8, 8), steps.Crop);
        Assert.Equal([1, 2, 3], steps.Deviation);
    }

    [Fact]
    public void Labels_are_those_of_the_folder()
    {
        using var named = TensorFolder.Picture().With("preprocessor_config.json", Vit)
            .With("config.json", """{"architectures":["ViTForImageClassification"],"id2label":{"0":"red","1":"green","2":"blue"}}""");
        Assert.Equal(["red", "green", "blue"], named.Open().Images!.Output!.Labels);
        named.With("labels.txt", "rot\ngrün\nblau\n\n");
        var output = named.Open().Images!.Output!;
        Assert.Equal((TextTask.Classify, ScoreActivation.Softmax, "logits"), (output.Task, output.Activation, output.Output));
        Assert.Equal(["rot", "grün", "blau"], output.Labels);
        named.With("labels.txt", "rot\ngrün\n");
        Assert.Contains("its file of labels has 2 lines, but its graph gives 3 scores", named.Open().ImageRefusal);
        named.With("labels.txt", "rot\n\nblau\n");
        Assert.Contains("a label on each line", Assert.Throws<InvalidModelException>(() => named.Open()).Message);
    }

    [Fact]
    public void A_graph_without_labels_makes_vectors_and_one_that_ends_in_probabilities_is_left_so()
    {
        using var vectors = TensorFolder.Picture().With("preprocessor_config.json", Vit);
        var output = vectors.Open().Images!.Output!;
        Assert.Equal((TextTask.Embed, 3), (output.Task, output.Dimensions));
        using var ready = TensorFolder.Picture(isSoftmax: true).With("preprocessor_config.json", Vit).With("labels", "a\nb\nc");
        Assert.Equal(ScoreActivation.None, ready.Open().Images!.Output!.Activation);
    }

    [Fact]
    public void Graphs_that_read_no_image_are_refused()
    {
        using var text = TensorFolder.Classifier(2).With("preprocessor_config.json", Vit);
        Assert.Contains("its graph has 2 inputs", text.Open().ImageRefusal);
        using var flat = TensorFolder.AddOne().With("preprocessor_config.json", Vit);
        Assert.Contains("'x' of its graph has no four dimensions", flat.Open().ImageRefusal);
        using var bytes = TensorFolder.Picture(isUInt8: true).With("preprocessor_config.json", Vit);
        Assert.Contains("UINT8, but preprocessor_config.json has do_rescale", bytes.Open().ImageRefusal);
        using var plain = TensorFolder.Picture().With("config.json", """{"architectures":["ViTForImageClassification"]}""");
        Assert.Equal((null, null), (plain.Open().Images, plain.Open().ImageRefusal));
    }

    [Fact]
    public void Channels_are_found_where_the_graph_has_them()
    {
        using var last = TensorFolder.Picture(isLast: true).With("preprocessor_config.json", Vit);
        Assert.True(last.Open().Images!.IsChannelsLast);
        using var open = TensorFolder.Picture(size: null).With("preprocessor_config.json", Vit);
        Assert.False(open.Open().Images!.IsChannelsLast);
    }
}
