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

    [Fact]
    public async Task What_is_not_there_or_not_named_whole_is_told()
    {
        using var file = Network();
        Assert.Contains("absent.onnx does not exist.", await RefusedAsync(file, Path.Combine(file.Folder, "absent.onnx")), StringComparison.Ordinal);
        Assert.Contains($"name its file: {file.Path}", await RefusedAsync(file, Path.GetDirectoryName(file.Path)!), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("fp32", """{"inputs":[]}""", "--calibration: only an int8 variant")]
    [InlineData("int8", """{"inputs":[{"name":"z","datatype":"FP32","shape":[1],"data":[1]}]}""", "line 2 has the inputs 'z'; the graph takes 'x'.")]
    [InlineData("int8", """{"inputs":[{"name":"x","name":"x"}]}""", "line 2: The body has 'inputs[0].name' twice.")]
    public async Task Samples_that_do_not_fit_are_told_with_their_line(string precision, string line, string words)
    {
        using var file = Network();
        var samples = Path.Combine(file.Folder, "samples.jsonl");
        await File.WriteAllTextAsync(samples, $"\n{line}\n", TestContext.Current.CancellationToken);
        Assert.Contains(words, await RefusedAsync(file, file.Path, "--precision", precision, "--calibration", samples), StringComparison.Ordinal);
    }

    private static async Task<string> RefusedAsync(GraphFile file, string source, params string[] more)
    {
        var (code, _, errors) = await ModelCommandTests.RunAsync(["model", "build", source, "--output", file.Target, .. more]);
        Assert.Equal(1, code);
        Assert.False(Directory.Exists(file.Target));
        return Assert.Single(errors.Trim().Split('\n'));
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
