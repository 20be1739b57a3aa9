using R1Serverless.Abstractions;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Tests.ModelBuilder.Tensors;

namespace R1Serverless.Tests.Commands;

/// <summary><c>r1 model build FILE.onnx</c>.</summary>
public sealed class ModelBuildGraphTests
{
    [Fact]
    public async Task Variants_are_made_and_convolutions_that_stay_as_they_are_are_told()
    {
        using var file = Network();
        var (code, output, errors) = await ModelCommandTests.RunAsync("model", "build", file.Path, "--output", file.Target, "--precision",
            "fp32,fp16,int8", "--preload", "int8");
        Assert.Equal((0, ""), (code, errors));
        Assert.Matches("fp16 +[0-9]", output);
        Assert.Contains("int8: 1 products and 0 convolutions. 1 convolutions stay fp32", output, StringComparison.Ordinal);
        var built = ModelFolder.Open(file.Target);
        Assert.Equal((ModelKind.Tensors, "built"), (built.Manifest.Kind, built.Name));
        Assert.Equal([Precision.Fp32, Precision.Fp16, Precision.Int8], built.Manifest.Variants.Select(variant => variant.Precision));
        Assert.Equal([-1, 8, 16, 16], built.Signature!.Inputs.Single().Shape);
        Assert.True(built.Manifest.Variants[2].Preload);
    }

    [Theory]
    [InlineData("--precision", "int4", "fp32, fp16 and int8")]
    [InlineData("--kv", "int8", "--kv")]
    public async Task What_only_decoders_have_is_refused(string option, string value, string says)
    {
        using var file = Network();
        var (code, _, errors) = await ModelCommandTests.RunAsync("model", "build", file.Path, "--output", file.Target, option, value);
        Assert.Equal(1, code);
        Assert.Contains(says, Assert.Single(errors.Trim().Split('\n')), StringComparison.Ordinal);
        Assert.False(Directory.Exists(file.Target));
    }

    /// <summary>A convolution, the mean of each channel, and a product.</summary>
    private static GraphFile Network()
    {
        GraphFile file = new("n", 8, 16, 16);
        var graph = file.Graph;
        var conv = graph.Node("Conv", "conv", ["x", file.Weights("w1", 0.2f, 64, 8, 3, 3)]);
        var flat = graph.Node("Flatten", "flat", [graph.Node("GlobalAveragePool", "mean", [conv])]);
        return file.Write(graph.Node("MatMul", "y", [flat, file.Weights("w2", 0.2f, 64, 64)]), "n", 64);
    }
}
