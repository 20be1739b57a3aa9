using R1Serverless.Abstractions;
using R1Serverless.Models;
using R1Serverless.Tests.Engine.ModelHosting;

namespace R1Serverless.Tests.Models;

/// <summary>What a built model's manifest may say.</summary>
public sealed class ModelManifestTests : IDisposable
{
    private readonly HandMadeModels _models = new();

    [Theory]
    [InlineData("../a/fp32.onnx")]
    [InlineData("/etc/hostname")]
    [InlineData("")]
    public void A_variant_whose_file_is_not_in_the_models_folder_is_refused(string file)
    {
        _models.Make("a", Precision.Fp32);

        var graph = Assert.Throws<InvalidModelException>(() => _models.Make("b", variant => variant with { File = file }, Precision.Fp32));
        Assert.Contains("is damaged", graph.Message, StringComparison.Ordinal);
        var data = Assert.Throws<InvalidModelException>(() => _models.Make("c", variant => variant with { DataFile = file }, Precision.Fp32));
        Assert.Contains("is damaged", data.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_evaluation_that_is_null_is_damage()
    {
        var path =
            Path.Combine(_models.Make("a", variant => variant with { Evaluations = [Measured.On("cpu", 0, 1)] }, Precision.Fp32).Path,
                ModelManifest.FileName);
        var manifest = ModelManifest.Load(path);
        File.WriteAllText(path, File.ReadAllText(path).Replace("\"evaluations\": [", "\"evaluations\": [null,", StringComparison.Ordinal));
        Assert.Contains("an evaluation is null", Assert.Throws<InvalidModelException>(() => ModelManifest.Load(path)).Message,
            StringComparison.Ordinal);
        Assert.NotEmpty(manifest.Variants[0].Evaluations);
    }

    public void Dispose() => _models.Dispose();
}
