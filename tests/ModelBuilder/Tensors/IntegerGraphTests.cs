using Microsoft.ML.OnnxRuntime;
using R1Serverless.Abstractions;
using R1Serverless.ModelBuilder.Tensors;
using R1Serverless.Models;
using Tensor = R1Serverless.Abstractions.Tensors.Tensor;

namespace R1Serverless.Tests.ModelBuilder.Tensors;

/// <summary>INT8 variants of small graphs.</summary>
public sealed class IntegerGraphTests
{
    [Theory]
    [InlineData(0, 0, 1, 1)]
    [InlineData(0, 1, 1, 1)]
    [InlineData(0, 1, 0.5f, 2)]
    [InlineData(1, 0, -2, 0)]
    public void Gemm_is_what_it_was(int transA, int transB, float alpha, float beta)
    {
        using var file = transA == 1 ? new GraphFile(96, "n") : new GraphFile("n", 96);
        var weights = transB == 1 ? file.Weights("w", 0.2f, 64, 96) : file.Weights("w", 0.2f, 96, 64);
        file.Write(file.Graph.Node("Gemm", "y", ["x", weights, file.Weights("c", 1, 64)], "",
            ("transA", transA), ("transB", transB), ("alpha", alpha), ("beta", beta)), "n", 64);
        var input = transA == 1 ? GraphFile.Input(1, 96, 5) : GraphFile.Input(1, 5, 96);
        var (exact, integer, types) = Build(file, input);
        Assert.Contains("MatMulIntegerToFloat", types);
        Assert.DoesNotContain("Gemm", types);
        Assert.InRange(Agreement.Cosine([exact], [integer]), 0.9995, 1.0001);
        Assert.Equal(exact.Select(Math.Abs).Max(), integer.Select(Math.Abs).Max(), 0.05 * exact.Select(Math.Abs).Max());
    }

    [Fact]
    public void A_row_is_the_same_alone_and_in_any_company_bit_for_bit()
    {
        using GraphFile file = new("n", "t", 128);
        var hidden = file.Graph.Node("MatMul", "hidden", ["x", file.Weights("w1", 0.2f, 128, 96)]);
        var biased = file.Graph.Node("Add", "biased", [hidden, file.Weights("b", 1, 96)]);
        file.Write(file.Graph.Node("MatMul", "y", [biased, file.Weights("w2", 0.2f, 96, 80)]), "n", "t", 80);
        Build(file, GraphFile.Input(0, 1, 1, 128));
        using TensorRunner runner = new(Int8(file));
        foreach (var rows in new[] { 2, 3, 8, 33 })
        {
            var input = GraphFile.Input(rows, rows, 7, 128);
            Assert.Equal(Enumerable.Range(0, rows).SelectMany(row => runner.Run([GraphFile.Row(input, row)])), runner.Run([input]));
        }
    }

    [Fact]
    public void A_matrix_of_two_products_serves_both_on_any_processor_and_rows_of_zeros_stay_zeros()
    {
        using GraphFile file = new("n", 96);
        var weights = file.Weights("w", 0.2f, 96, 96);
        var first = file.Graph.Node("MatMul", "first", ["x", weights]);
        file.Write(file.Graph.Node("MatMul", "y", [first, weights]), "n", 96);
        var (exact, integer, types) = Build(file, GraphFile.Input(1, 4, 96));
        Assert.Equal(2, types.Count(type => type == "MatMulIntegerToFloat"));
        Assert.InRange(Agreement.Cosine([exact], [integer]), 0.999, 1.0001);
        using TensorRunner runner = new(Int8(file));
        using TensorRunner other = new(Int8(file), exactSums: true);
        var input = GraphFile.Input(2, 3, 96);
        Assert.Equal(runner.Run([input]), other.Run([input]));
        Assert.All(runner.Run([GraphFile.Input(1, 1, 96) with { Data = new byte[96 * sizeof(float)] }]), number => Assert.Equal(0, number));
    }

    /// <summary>As PaddlePaddle's exports have them: attributes that later sets have as inputs, and a softmax over the last axis, or over all from
    /// the second on.</summary>
    [Theory]
    [InlineData(2, 6)]
    [InlineData(1, 1)]
    public void Operators_of_an_old_set_become_those_of_a_newer_one(int axis, double sum)
    {
        using GraphFile file = new("n", 8, 8, 8);
        var graph = file.Graph;
        var seen = graph.Node("Conv", "seen", ["x", file.Weights("w", 0.3f, 32, 8, 3, 3)], "", ("pads", new long[] { 1, 1, 1, 1 }));
        var cut = graph.Node("Clip", "cut", [seen], "", ("min", 0f), ("max", 1.5f));
        var part = graph.Node("Slice", "part", [cut], "", ("starts", new long[] { 1 }), ("ends", new long[] { 7 }), ("axes", new long[] { 2 }));
        var mean = graph.Node("ReduceMean", "mean", [part], "", ("axes", new long[] { 3 }), ("keepdims", 1));
        var steps = graph.Node("Squeeze", "steps", [mean], "", ("axes", new long[] { 3 }));
        var rows = graph.Node("Transpose", "rows", [steps], "", ("perm", new long[] { 0, 2, 1 }));
        file.Write(graph.Node("Softmax", "y", [rows], "", ("axis", axis)), "n", 6, 32);
        file.Change(model => model.OpsetImport.Single(set => set.Domain.Length == 0).Version = 9);
        var calibration = Enumerable.Range(0, 4).Select(i => GraphFile.Input(i, 2, 8, 8, 8)).ToArray();
        var (exact, integer, types) = Build(file, GraphFile.Input(9, 2, 8, 8, 8), calibration);
        Assert.Contains("QuantizeLinear", types);
        Assert.Equal(2 * sum, exact.Sum(), 1e-4);
        Assert.Equal(2 * sum, integer.Sum(), 1e-4);
        Assert.InRange(Agreement.Cosine([.. exact.Chunk(32)], [.. integer.Chunk(32)]), 0.999, 1.0001);
    }

    [Fact]
    public void A_small_matrix_stays_float_beside_a_large_one()
    {
        using GraphFile file = new("n", 128);
        var large = file.Graph.Node("MatMul", "large", ["x", file.Weights("w1", 0.2f, 128, 64)]);
        file.Write(file.Graph.Node("MatMul", "y", [large, file.Weights("w2", 0.2f, 64, 2)]), "n", 2);
        Assert.Contains("MatMul", Build(file, GraphFile.Input(1, 2, 128)).Types);
    }

    [Fact]
    public void Convolutions_are_computed_in_integers_and_alone_as_in_company()
    {
        using var file = Residual();
        var calibration = Enumerable.Range(0, 8).Select(i => GraphFile.Input(i, 2, 8, 16, 16)).ToArray();
        var (exact, integer, _) = Build(file, GraphFile.Input(100, 4, 8, 16, 16), calibration);
        Assert.InRange(Agreement.Cosine([.. exact.Chunk(16)], [.. integer.Chunk(16)]), 0.998, 1.0001);
        using TensorRunner runner = new(Int8(file));
        var input = GraphFile.Input(5, 4, 8, 16, 16);
        Assert.Equal(Enumerable.Range(0, 4).SelectMany(row => runner.Run([GraphFile.Row(input, row)])), runner.Run([input]));
        using TensorRunner other = new(Int8(file), exactSums: true);
        Assert.Equal(runner.Run([input]), other.Run([input]));
        var types = Optimised(file);
        Assert.Equal(3, types.Count(type => type == "QLinearConv"));
        Assert.DoesNotContain("Conv", types);
    }

    [Fact]
    public void A_channel_without_weights_keeps_its_bias()
    {
        using GraphFile file = new("n", 8, 6, 6);
        var weights = new float[8 * 8 * 9];
        for (var i = 8 * 9; i < weights.Length; i++) weights[i] = (i % 17 / 17f) - 0.5f;
        var conv = file.Graph.Node("Conv", "y", ["x", file.Values("w", weights, 8, 8, 3, 3), file.Values("b", [5, .. new float[7]], 8)]);
        file.Write(conv, "n", 8, 4, 4);
        var (exact, integer, _) = Build(file, GraphFile.Input(1, 1, 8, 6, 6), [GraphFile.Input(1, 1, 8, 6, 6)]);
        Assert.All(exact.Zip(integer).Take(16), pair => Assert.Equal(pair.First, pair.Second, 0.1));
    }

    [Fact]
    public void Without_calibration_inputs_convolutions_are_refused_and_said_to_need_them()
    {
        using var file = Residual();
        var fault = Assert.Throws<InvalidModelException>(() => Build(file, GraphFile.Input(1, 1, 8, 16, 16)));
        Assert.Contains("without calibration inputs", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Calibration_inputs_that_do_not_fit_are_refused_by_number()
    {
        using var file = Residual();
        var fault = Assert.Throws<InvalidModelException>(
            () => Build(file, GraphFile.Input(1, 1, 8, 16, 16), [GraphFile.Input(1, 1, 8, 16, 16), GraphFile.Input(1, 1, 9, 16, 16)]));
        Assert.Contains("calibration input 2", fault.Message, StringComparison.Ordinal);
    }

    /// <summary>A convolution with its normalisation, then a block with a shortcut around two, then the mean of each channel.</summary>
    private static GraphFile Residual()
    {
        GraphFile file = new("n", 8, 16, 16);
        var graph = file.Graph;
        string Convolve(string name, string input, long from) =>
            graph.Node("Conv", name, [input, file.Weights($"{name}.w", 0.3f, 16, from, 3, 3), file.Weights($"{name}.b", 0.2f, 16)], "",
                ("pads", new long[] { 1, 1, 1, 1 }));
        var ones = file.Values("ones", [.. Enumerable.Repeat(1.3f, 16)], 16);
        var normalised = graph.Node("BatchNormalization", "bn",
            [Convolve("c1", "x", 8), ones, file.Weights("shift", 0.2f, 16), file.Weights("mean", 0.1f, 16), ones]);
        var stem = graph.Node("Relu", "stem", [normalised]);
        var inner = graph.Node("Relu", "inner", [Convolve("c2", stem, 16)]);
        var sum = graph.Node("Relu", "sum/relu", [graph.Node("Add", "sum", [Convolve("c3", inner, 16), stem])]);
        var last = graph.Node("GlobalAveragePool", "y", [graph.Node("MaxPool", "pool", [sum], "", ("kernel_shape", new long[] { 2, 2 }))]);
        return file.Write(last, "n", 16, 1, 1);
    }

    private static string Int8(GraphFile file) => Path.Combine(file.Target, "model_int8.onnx");

    /// <summary>The types of nodes as a session has them.</summary>
    private static List<string> Optimised(GraphFile file)
    {
        var path = Path.Combine(file.Folder, "optimised.onnx");
        using (SessionOptions options = new() { OptimizedModelFilePath = path, LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR })
            new InferenceSession(Int8(file), options).Dispose();
        return [.. GraphFile.Read(path).Graph.Node.Select(node => node.OpType)];
    }

    private static (float[] Exact, float[] Integer, List<string> Types) Build(GraphFile file, Tensor input, params Tensor[] calibration)
    {
        TensorModelBuilder.Build(file.Path, file.Target, "model", TimeProvider.System, new TensorBuildOptions
        {
            Precisions = [Precision.Int8],
            Calibration = [.. calibration.Select(tensor => (IReadOnlyList<Tensor>)[tensor])],
        });
        using TensorRunner exact = new(file.Path), integer = new(Int8(file));
        return (exact.Run([input]), integer.Run([input]), [.. GraphFile.Read(Int8(file)).Graph.Node.Select(node => node.OpType)]);
    }
}
