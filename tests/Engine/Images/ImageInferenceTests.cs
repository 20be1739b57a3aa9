using System.Buffers;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Steps;
using R1Serverless.Tests.Engine.Tensors;
using R1Serverless.Tests.Images;
using R1Serverless.Tests.ModelBuilder.Tensors;

namespace R1Serverless.Tests.Engine.Images;

/// <summary>Images through graphs that give the means of their channels.</summary>
public sealed class ImageInferenceTests
{
    private const string Plain = """{"size":4,"resample":0}""", Labels = "red\ngreen\nblue";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Encoded_images_are_the_graph_s_input_and_share_its_batches()
    {
        using var folder = TensorFolder.Picture().With("preprocessor_config.json", Plain);
        await using var inference = Open(folder, out var model);
        var alone = await MeansAsync(inference, model, Images("pixel_values", Pictures.Png));
        Assert.Equal([1, 3, 1, 1], alone.Shape);
        var single = TensorFolder.Floats(alone);
        // The picture rises from left to right in red, from top to bottom in green; in the middle columns and rows of four.
        Assert.All(single, mean => Assert.InRange(mean, 0.4f, 0.6f));

        var before = inference.Variants[0].Load.Steps;
        byte[][] files = [.. Enumerable.Range(0, 24).Select(i => i % 2 == 0 ? Pictures.Png : Pictures.Jpeg)];
        var together = await MeansAsync(inference, model, Images("pixel_values", files));
        Assert.Equal([24, 3, 1, 1], together.Shape);
        var means = TensorFolder.Floats(together);
        for (var i = 0; i < 24; i += 2) Assert.Equal(single, means[(3 * i)..(3 * i + 3)]);
        Assert.True(inference.Variants[0].Load.Steps - before <= 24);

        // The same as the tensor that was made of it.
        var text = Images("pixel_values", System.Text.Encoding.ASCII.GetBytes("data:image/png;base64," + Convert.ToBase64String(Pictures.Png)));
        Assert.Equal(single, TensorFolder.Floats(await MeansAsync(inference, model, text with { Shape = [1, 1] })));
        var raw = TensorFolder.Floats("pixel_values", [1, 3, 4, 4], [.. Enumerable.Repeat(0.25f, 16), .. Enumerable.Repeat(0.5f, 32)]);
        var plain = await MeansAsync(inference, model, raw);
        Assert.Equal([0.25f, 0.5f, 0.5f], TensorFolder.Floats(plain));
    }

    [Fact]
    public async Task A_graph_of_one_image_takes_several_one_by_one()
    {
        using var folder = TensorFolder.Picture(batch: 1).With("preprocessor_config.json", Plain);
        await using var inference = Open(folder, out var model);
        var means = await MeansAsync(inference, model, Images("pixel_values", Pictures.Png, Pictures.Jpeg, Pictures.Png));
        Assert.Equal([3, 3, 1, 1], means.Shape);
        Assert.Equal(TensorFolder.Floats(means)[..3], TensorFolder.Floats(means)[6..]);
    }

    [Fact]
    public async Task Images_of_any_size_run_by_themselves_where_the_folder_keeps_sizes()
    {
        using var folder = TensorFolder.Picture(size: null, isUInt8: true).With("preprocessor_config.json", """{"do_rescale":false}""");
        await using var inference = Open(folder, out var model);
        var means = TensorFolder.Floats(await MeansAsync(inference, model, Images("pixel_values", Pictures.Png, Pictures.Jpeg)));
        for (var channel = 0; channel < 3; channel++)
        {
            Assert.Equal(Mean(Pictures.Png, channel), means[channel], 0.01);
            Assert.Equal(Mean(Pictures.Jpeg, channel), means[3 + channel], 0.01);
        }

        static double Mean(byte[] file, int channel) =>
            Pictures.Rgb(ImageDecoderTests.Decode(file)).Where((_, i) => i % 3 == channel).Average(value => (double)value);
    }

    [Fact]
    public async Task Labels_come_with_probabilities()
    {
        using var folder = TensorFolder.Picture().With("preprocessor_config.json", Plain).With("labels.txt", Labels);
        await using var inference = Open(folder, out var model);
        TextInput[] inputs = [new(null, Image: Pictures.Png), new("data:image/png;base64," + Convert.ToBase64String(Pictures.Png))];
        var outputs = (await RunAsync(inference, model, new Prompt.Texts(TextTask.Classify, inputs))).Outputs!;
        Assert.Equal(("scores", 2), (outputs[0].Name, outputs[0].Shape[0]));
        var scores = TensorFolder.Floats(outputs[0]);
        Assert.Equal(scores[..3], scores[3..]);
        Assert.Equal(1, scores[..3].Sum(), 1e-5);
        var raw = await RunAsync(inference, model, new Prompt.Texts(TextTask.Classify, inputs[..1]) { RawScores = true });
        double[] means = [.. TensorFolder.Floats(raw.Outputs![0])];
        for (var i = 0; i < 3; i++) Assert.Equal(Math.Exp(means[i]) / means.Sum(Math.Exp), scores[i], 1e-6);
        Assert.Equal("red", System.Text.Encoding.UTF8.GetString(outputs[1].Data.Span[4..7]));
    }

    [Fact]
    public async Task Graphs_without_labels_make_vectors()
    {
        using var folder = TensorFolder.Picture().With("preprocessor_config.json", Plain);
        await using var inference = Open(folder, out var model);
        var prompt = new Prompt.Texts(TextTask.Embed, [new TextInput(null, Image: Pictures.Png), new TextInput(null, Image: Pictures.Jpeg)]);
        var vectors = Assert.Single((await RunAsync(inference, model, prompt)).Outputs!);
        Assert.Equal(("embeddings", 2, 3), (vectors.Name, vectors.Shape[0], vectors.Shape[1]));
        var cut = await RunAsync(inference, model, prompt with { Dimensions = 2 });
        Assert.Equal(TensorFolder.Floats(vectors)[..2], TensorFolder.Floats(cut.Outputs![0])[..2]);
        var wrong = (await RunAsync(inference, model, prompt with { Dimensions = 4 })).Error!;
        Assert.Equal((InferenceErrorKind.InvalidRequest, "dimensions"), (wrong.Kind, wrong.Field));
    }

    [Fact]
    public async Task What_is_no_image_is_refused_by_its_number()
    {
        using var folder = TensorFolder.Picture().With("preprocessor_config.json", Plain).With("labels.txt", Labels);
        await using var inference = Open(folder, out var model);
        foreach (var (prompt, field, words) in ((Prompt, string, string)[])
            [
                (Texts(new(null, Image: Pictures.Png), new(null, Image: Pictures.Gif)), "input[1]", "Image 1 is GIF"),
                (Texts(new TextInput("a cat")), "input[0]", "The image is neither a file nor base64"),
                (Texts(new TextInput("a", "b")), "input[0]", "reads images"), (Texts(new TextInput(null, Tokens: [1])), "input[0]", "reads images"),
                (Texts(new TextInput(null, Image: ImageDecoderTests.Png(50_000, 50_000))), "input[0]", "50000 × 50000"),
                (new Prompt.Texts(TextTask.Embed, [new TextInput("a")]), "model", "classifies images"),
                (new Prompt.Text("a"), "model", "classifies images"),
                (new Prompt.Tensors([Images("pixel_values", Pictures.Png, [])]), "inputs.pixel_values", "Image 1 has no bytes"),
                (new Prompt.Tensors([Images("pixel_values")]), "inputs.pixel_values", "1 to 256 of them"),
                (new Prompt.Tensors([Images("pixel_values", Pictures.Png, Pictures.Png) with { Shape = [1, 2] }]), "inputs.pixel_values", "BYTES"),
                (new Prompt.Tensors([Images("image", Pictures.Png)]), "inputs.image", "no input 'image'"),
                (new Prompt.Tensors([Images("pixel_values", Pictures.Png)]) { Outputs = ["boxes"] }, "outputs.boxes", "no output 'boxes'"),
            ])
        {
            var error = (await RunAsync(inference, model, prompt)).Error!;
            Assert.Equal((InferenceErrorKind.InvalidRequest, field), (error.Kind, error.Field));
            Assert.Contains(words, error.Message);
        }

        static Prompt Texts(params TextInput[] inputs) => new Prompt.Texts(TextTask.Classify, inputs);
    }

    [Fact]
    public async Task A_folder_that_is_not_done_exactly_takes_tensors_and_says_why_no_images()
    {
        using var folder = TensorFolder.Picture().With("preprocessor_config.json", """{"image_processor_type":"DonutImageProcessor"}""");
        await using var inference = Open(folder, out var model);
        var error = (await RunAsync(inference, model, new Prompt.Texts(TextTask.Classify, [new TextInput(null, Image: Pictures.Png)]))).Error!;
        Assert.Contains("takes no images: preprocessor_config.json has image_processor_type 'DonutImageProcessor'", error.Message);
        error = (await RunAsync(inference, model, new Prompt.Tensors([Images("pixel_values", Pictures.Png)]))).Error!;
        Assert.Contains("takes no images: preprocessor_config.json has image_processor_type 'DonutImageProcessor'", error.Message);
        using var texts = TensorFolder.Classifier(2).With("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n")
            .With("config.json", """{"architectures":["BertForSequenceClassification"],"num_labels":2}""");
        await using var reader = Open(texts, out var other);
        error = (await RunAsync(reader, other, new Prompt.Texts(TextTask.Classify, [new TextInput(null, Image: Pictures.Png)]))).Error!;
        Assert.Equal("input[0]", error.Field);
        Assert.Contains("reads texts", error.Message);
    }

    [Fact]
    public async Task A_request_that_is_given_up_reads_no_further_image()
    {
        using var folder = TensorFolder.Picture().With("preprocessor_config.json", Plain);
        await using var inference = Open(folder, out var model);
        using CancellationTokenSource stop = new();
        InferenceRequest request = new()
        {
            Id = RequestId.New(), Model = model, Prompt = new Prompt.Tensors([Images("pixel_values", [.. Enumerable.Repeat(Pictures.Jpeg, 256)])]),
        };
        var before = inference.Variants[0].Load.Steps;
        await using var events = inference.RunAsync(request, stop.Token).GetAsyncEnumerator(stop.Token);
        Assert.True(await events.MoveNextAsync());
        Assert.IsType<InferenceEvent.Admitted>(events.Current);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await events.MoveNextAsync());
        Assert.Equal(before, inference.Variants[0].Load.Steps);
        await MeansAsync(inference, model, Images("pixel_values", Pictures.Png));
    }

    /// <summary>A published network, fixed to one image; it was trained on values of 0 to 255 less a mean.</summary>
    [Fact]
    public async Task ResNet18_makes_vectors_of_pictures()
    {
        using var folder = new PackagedFolder(PackagedModels.ResNet18);
        folder.Write("preprocessor_config.json", """{"size":224,"resample":2,"do_rescale":false,"image_mean":[123.7,116.3,103.5],"image_std":1}""");
        await using var inference = Open(R1Serverless.Models.Folders.ModelFolder.Open(folder.Path), out var model);
        TextInput[] inputs = [new(null, Image: Pictures.Png), new(null, Image: Pictures.Jpeg), new(null, Image: Pictures.PngBits)];
        var vectors = Assert.Single((await RunAsync(inference, model, new Prompt.Texts(TextTask.Embed, inputs))).Outputs!);
        Assert.Equal([3, PackagedModels.PictureVector], vectors.Shape);
        var rows = TensorFolder.Floats(vectors).Chunk(PackagedModels.PictureVector).ToArray();
        // One picture in two formats, and another one.
        Assert.InRange(Cosine(rows[0], rows[1]), 0.9, 1.001);
        Assert.InRange(Cosine(rows[0], rows[2]), -1, Cosine(rows[0], rows[1]) - 0.1);

        static double Cosine(float[] one, float[] other) => System.Numerics.Tensors.TensorPrimitives.CosineSimilarity<float>(one, other);
    }

    internal static Tensor Images(string name, params byte[][] files)
    {
        ArrayBufferWriter<byte> content = new();
        foreach (var file in files) ByteElements.Add(content, file);
        return new Tensor(name, TensorType.Bytes, [files.Length], content.WrittenMemory);
    }

    private static LocalInference Open(TensorFolder folder, out string model) => Open(folder.Open(), out model);

    private static LocalInference Open(R1Serverless.Models.Folders.ModelFolder folder, out string model)
    {
        model = folder.Name;
        return new LocalInference([LoadedVariant.OpenAlone(
            folder, folder.Manifest.Variants[0], new RuntimeOptions { Threads = 2 }, new EngineOptions(), TimeProvider.System)]);
    }

    private static async Task<Tensor> MeansAsync(LocalInference inference, string model, Tensor input)
    {
        var result = await RunAsync(inference, model, new Prompt.Tensors([input]));
        Assert.Null(result.Error);
        return Assert.Single(result.Outputs!);
    }

    private static async Task<InferenceResult> RunAsync(LocalInference inference, string model, Prompt prompt)
    {
        InferenceRequest request = new() { Id = RequestId.New(), Model = model, Prompt = prompt };
        ResultFold fold = new(request.Id);
        await foreach (var inferenceEvent in inference.RunAsync(request, Cancellation)) fold.Add(inferenceEvent);
        return fold.Result();
    }

    /// <summary>A folder with a model of a package.</summary>
    private sealed class PackagedFolder : IDisposable
    {
        public PackagedFolder(string graph) => File.CreateSymbolicLink(System.IO.Path.Combine(Path, "model.onnx"), graph);

        public string Path { get; } = Directory.CreateTempSubdirectory("r1-images-").FullName;

        public void Write(string name, string content) => File.WriteAllText(System.IO.Path.Combine(Path, name), content);

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
