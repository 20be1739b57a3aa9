using R1Serverless.Abstractions;
using R1Serverless.ModelBuilder;
using R1Serverless.ModelBuilder.Tensors;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Tests.ModelBuilder.Tensors;

public sealed class TensorModelBuilderTests
{
    private static readonly TensorBuildOptions Both = new() { Precisions = [Precision.Fp32, Precision.Int8] };

    [Fact]
    public void A_folder_has_every_variant_and_a_manifest_that_lists_them()
    {
        using var file = Perceptron();
        var labels = Path.Combine(file.Folder, "labels.txt");
        File.WriteAllText(labels, "a\nb\n");
        var built = TensorModelBuilder.Build(file.Path, file.Target, "perceptron", TimeProvider.System,
            new TensorBuildOptions { Precisions = [Precision.Int8, Precision.Fp16, Precision.Fp32], Files = [labels], Preloaded = [Precision.Int8] });
        Assert.Equal([Precision.Fp32, Precision.Fp16, Precision.Int8], built.Manifest.Variants.Select(variant => variant.Precision));
        Assert.Equal(["labels.txt", "model.onnx", "model_fp16.onnx", "model_int8.onnx", ModelManifest.FileName],
            Directory.EnumerateFiles(file.Target).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        var manifest = ModelManifest.Load(Path.Combine(file.Target, ModelManifest.FileName));
        Assert.Equal("x", ModelFolder.Open(file.Target).Signature!.Inputs.Single().Name);
        Assert.Equal((128 * 96) + 96 + (96 * 64), manifest.Parameters);
        Assert.True(manifest.Variants.Single(variant => variant.Preload).Precision == Precision.Int8);
        Assert.All(manifest.Variants, variant => Assert.Equal(new FileInfo(Path.Combine(file.Target, variant.File)).Length, variant.Bytes));
        Assert.Equal([], Directory.EnumerateDirectories(file.Folder, ".r1-new-*"));
    }

    [Fact]
    public void What_cannot_be_built_leaves_the_old_model_as_it_was()
    {
        using var file = Perceptron();
        TensorModelBuilder.Build(file.Path, file.Target, "old", TimeProvider.System, new TensorBuildOptions());
        file.Change(model => model.Graph.Node[0].OpType = "NoSuchOperator");
        var fault = Assert.Throws<InvalidModelException>(() => TensorModelBuilder.Build(file.Path, file.Target, "new", TimeProvider.System, Both));
        Assert.Contains("NoSuchOperator", fault.Message, StringComparison.Ordinal);
        Assert.Equal("old", ModelManifest.Load(Path.Combine(file.Target, ModelManifest.FileName)).Name);
        Assert.Equal([], Directory.EnumerateDirectories(file.Folder, ".r1-new-*"));
    }

    [Fact]
    public void A_folder_that_is_no_model_is_left_alone()
    {
        using var file = Perceptron();
        Directory.CreateDirectory(file.Target);
        File.WriteAllText(Path.Combine(file.Target, "thesis.txt"), "");
        Assert.Throws<InvalidModelException>(
            () => TensorModelBuilder.Build(file.Path, file.Target, "model", TimeProvider.System, new TensorBuildOptions()));
        Assert.True(File.Exists(Path.Combine(file.Target, "thesis.txt")));
    }

    [Fact]
    public void Progress_ends_at_the_total()
    {
        using var file = Perceptron();
        List<BuildProgress> reports = [];
        TensorModelBuilder.Build(file.Path, file.Target, "model", TimeProvider.System, Both, new Recorder(reports));
        Assert.Equal(reports[^1].TotalBytes, reports[^1].WrittenBytes);
        Assert.Equal(reports.Select(report => report.WrittenBytes).Order(), reports.Select(report => report.WrittenBytes));
    }

    [Fact]
    public void Int8_of_what_it_would_not_make_faster_is_refused()
    {
        using GraphFile file = new("n", 4);
        file.Write(file.Graph.Node("MatMul", "y", ["x", file.Weights("w", 1, 4, 4)]), "n", 4);
        var fault = Assert.Throws<InvalidModelException>(() => TensorModelBuilder.Build(file.Path, file.Target, "m", TimeProvider.System, Both));
        Assert.Contains("nothing that int8 makes faster", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Precision.Int4)]
    public void Other_precisions_are_refused(Precision precision)
    {
        using var file = Perceptron();
        Assert.Throws<InvalidModelException>(() => TensorModelBuilder.Build(file.Path, file.Target, "model", TimeProvider.System,
            new TensorBuildOptions { Precisions = [precision] }));
    }

    [Fact]
    public void An_axis_of_one_becomes_free_where_rows_do_not_mix()
    {
        using GraphFile file = new(1, 2, 8);
        var shape = file.Graph.Integers("shape", 1, 16);
        var flat = file.Graph.Node("Reshape", "flat", ["x", shape]);
        file.Write(file.Graph.Node("MatMul", "y", [flat, file.Weights("w", 1, 16, 4)]), 1, 4);
        TensorModelBuilder.Build(file.Path, file.Target, "model", TimeProvider.System, new TensorBuildOptions());
        using TensorRunner source = new(file.Path), built = new(Path.Combine(file.Target, "model.onnx"));
        var input = GraphFile.Input(1, 3, 2, 8);
        Assert.Equal(Enumerable.Range(0, 3).SelectMany(row => source.Run([GraphFile.Row(input, row)])), built.Run([input]), Near);
    }

    [Fact]
    public void An_axis_of_one_stays_where_rows_mix()
    {
        using GraphFile file = new(1, 8);
        var sum = file.Graph.Node("ReduceSum", "sum", ["x", file.Graph.Integers("axis", 0)]);
        file.Write(file.Graph.Node("Add", "y", ["x", sum]), 1, 8);
        var built = TensorModelBuilder.Build(file.Path, file.Target, "model", TimeProvider.System, new TensorBuildOptions());
        Assert.Contains(built.Notes, note => note.Contains("stays 1", StringComparison.Ordinal));
        Assert.Equal(1, GraphFile.Read(Path.Combine(file.Target, "model.onnx")).Graph.Input[0].Type.TensorType.Shape.Dim[0].DimValue);
    }

    private static bool Near(float a, float b) => Math.Abs(a - b) < 1e-5f;

    /// <summary>128 to 96 to 64.</summary>
    private static GraphFile Perceptron()
    {
        GraphFile file = new("n", 128);
        var hidden = file.Graph.Node("MatMul", "hidden", ["x", file.Weights("w1", 0.2f, 128, 96)]);
        var biased = file.Graph.Node("Add", "biased", [hidden, file.Weights("b1", 0.5f, 96)]);
        var positive = file.Graph.Node("Relu", "positive", [biased]);
        return file.Write(file.Graph.Node("MatMul", "y", [positive, file.Weights("w2", 0.2f, 96, 64)]), "n", 64);
    }

    private sealed class Recorder(List<BuildProgress> reports) : IProgress<BuildProgress>
    {
        public void Report(BuildProgress value) => reports.Add(value);
    }
}
