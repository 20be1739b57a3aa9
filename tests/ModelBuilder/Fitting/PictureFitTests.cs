using R1Serverless.Abstractions;
using R1Serverless.ModelBuilder.Fitting;
using R1Serverless.ModelBuilder.Fitting.Samples;
using R1Serverless.Models;
using R1Serverless.Models.Encoders;
using R1Serverless.Models.Folders;
using R1Serverless.Tests.Commands;
using R1Serverless.Tests.Engine.Tensors;
using R1Serverless.Tests.Images;
using R1Serverless.Tests.ModelBuilder.Tensors;

namespace R1Serverless.Tests.ModelBuilder.Fitting;

/// <summary>Models of pictures: an encoder's graph, which gives the means of the channels here, and a head in one.</summary>
public sealed class PictureFitTests : IDisposable
{
    private const string Steps = """{"size":4,"resample":0,"rescale_factor":0.00392156862745098}""";

    private readonly FitFolder _folder = new();

    [Theory]
    [InlineData(null)]
    [InlineData(1)]
    public async Task The_folder_classifies_pictures_as_the_head_does(int? batch)
    {
        using var encoder = TensorFolder.Picture(batch: batch).With("preprocessor_config.json", Steps)
            .With("config.json", """{"architectures":["ResNetModel"],"hidden_size":3}""");
        var samples = Samples();
        var fit = await _folder.FitAsync(samples, encoder.Open());
        var (vectors, head) = await _folder.TrainAsync(new PictureVectors(samples, encoder.Open()), samples);
        var model = ModelFolder.Open(_folder.Target);
        Assert.Equal((TextTask.Classify, "logits", "pixel_values"), (model.Images!.Output!.Task, model.Images.Output.Output, model.Images.Input));
        Assert.Equal(["blue", "green", "red"], model.Images.Output.Labels);
        Assert.Equal(ScoreActivation.Softmax, model.Images.Output.Activation);
        Assert.Equal(Steps, await File.ReadAllTextAsync(Path.Combine(_folder.Target, "preprocessor_config.json"), Token));
        Assert.Contains("ResNetForImageClassification", await File.ReadAllTextAsync(Path.Combine(_folder.Target, "config.json"), Token));
        // One row or several, whatever the encoder was exported for.
        Assert.Equal(-1, model.Signature!.Inputs[0].Shape![0]);
        float[] means = [0.9f, 0.2f, 0.2f, 0.1f, 0.1f, 0.7f];
        float[] pixels = [.. means.SelectMany(level => Enumerable.Repeat(level, 16))];
        using TensorRunner runner = new(_folder.Graph);
        var scores = runner.Run([TensorFolder.Floats("pixel_values", [2, 3, 4, 4], pixels)]);
        for (var row = 0; row < 2; row++)
        {
            var mean = means[(3 * row)..(3 * (row + 1))];
            var length = MathF.Sqrt(mean.Sum(one => one * one));
            var expected = head.Probabilities([.. mean.Select(one => one / length)]);
            var sum = Enumerable.Range(0, 3).Sum(c => Math.Exp(scores[(3 * row) + c]));
            for (var c = 0; c < 3; c++) Assert.Equal(expected[c], Math.Exp(scores[(3 * row) + c]) / sum, 1e-5);
        }

        Assert.Equal(3 * samples.Count, vectors.Length);
        Assert.Equal(1, fit.Report.Accuracy);
    }

    [Fact]
    public async Task A_picture_that_can_not_be_read_is_refused_by_its_file()
    {
        using var encoder = TensorFolder.Picture().With("preprocessor_config.json", Steps);
        var samples = Samples();
        await File.WriteAllBytesAsync(samples.PathOf(4), Pictures.Gif, Token);
        var fault = await Assert.ThrowsAsync<InvalidDataException>(() => _folder.FitAsync(samples, encoder.Open()));
        Assert.Equal($"{samples.PathOf(4)}: the image is GIF: PNG, JPEG and WebP are taken.", fault.Message);
        await File.WriteAllBytesAsync(samples.PathOf(4), Pictures.Png.AsMemory(0, 80), Token);
        fault = await Assert.ThrowsAsync<InvalidDataException>(() => _folder.FitAsync(samples, encoder.Open()));
        Assert.Equal($"{samples.PathOf(4)}: the image is a PNG that is cut off.", fault.Message);
        // What a server would take for base64, or for a data URL.
        foreach (var text in (string[])["no picture", $"data:image/png;base64,{Convert.ToBase64String(Pictures.Png)}", ""])
        {
            await File.WriteAllTextAsync(samples.PathOf(4), text, Token);
            fault = await Assert.ThrowsAsync<InvalidDataException>(() => _folder.FitAsync(samples, encoder.Open()));
            var words = text.Length == 0 ? "has no bytes" : "is of no format that is known: PNG, JPEG and WebP are taken";
            Assert.Equal($"{samples.PathOf(4)}: the image {words}.", fault.Message);
        }

        fault = await Assert.ThrowsAsync<InvalidDataException>(() => _folder.FitAsync(samples with { IsOfFolders = false }, encoder.Open()));
        Assert.Equal($"line {samples.Lines[4]}, {samples.PathOf(4)}: the image has no bytes.", fault.Message);
        Assert.False(Directory.Exists(_folder.Target));
    }

    [Fact]
    public async Task What_makes_no_vectors_of_images_is_refused()
    {
        using var plain = TensorFolder.Picture();
        using var labelled = TensorFolder.Picture().With("preprocessor_config.json", Steps).With("labels.txt", "a\nb\nc\n");
        using var odd = TensorFolder.Picture().With("preprocessor_config.json", """{"do_pad":true}""");
        foreach (var (folder, says) in ((TensorFolder, string)[])[(plain, "preprocessor_config.json must lie beside its graph"),
            (labelled, "makes no vectors of images"), (odd, "do_pad")])
        {
            var fault = await Assert.ThrowsAsync<InvalidModelException>(() => _folder.FitAsync(Samples(), folder.Open()));
            Assert.Contains(says, fault.Message);
        }
    }

    [Fact]
    public async Task An_encoder_of_images_that_lacks_its_steps_is_told_that()
    {
        using var encoder = TensorFolder.Picture();
        Samples();
        var (code, _, errors) = await ModelCommandTests.RunAsync(
            "model", "fit", Path.Combine(_folder.Root, "pictures"), "--encoder", encoder.Path, "--output", _folder.Target);
        Assert.NotEqual(0, code);
        Assert.Contains("takes no images: preprocessor_config.json must lie beside its graph", errors, StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Dispose();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Twelve shades of three colours.</summary>
    private PictureSamples Samples()
    {
        for (var i = 0; i < 12; i++)
        {
            byte bright = (byte)(150 + (8 * i)), dark = (byte)(4 * i);
            var (label, file) = (i % 3) switch
            {
                0 => ("red", Pictures.Plain(bright, dark, 9)),
                1 => ("green", Pictures.Plain(9, bright, dark)),
                _ => ("blue", Pictures.Plain(dark, 9, bright)),
            };
            var path = Path.Combine(_folder.Root, "pictures", label, $"{i}.png");
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllBytes(path, file);
        }

        return (PictureSamples)SampleFile.Read(Path.Combine(_folder.Root, "pictures"), new SampleFields { Kind = SampleKind.Pictures }, Token);
    }
}
