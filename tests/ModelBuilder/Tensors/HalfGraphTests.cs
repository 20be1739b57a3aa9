using R1Serverless.Abstractions;
using R1Serverless.ModelBuilder.Tensors;
using R1Serverless.Models;
using DataType = R1Serverless.ModelBuilder.Onnx.TensorProto.Types.DataType;

namespace R1Serverless.Tests.ModelBuilder.Tensors;

/// <summary>FP16 variants of small graphs.</summary>
public sealed class HalfGraphTests
{
    [Fact]
    public void Weights_become_float16_and_inputs_and_outputs_keep_their_types()
    {
        using GraphFile file = new("n", 64);
        var hidden = file.Graph.Node("MatMul", "hidden", ["x", file.Weights("w1", 0.2f, 64, 64)]);
        var positive = file.Graph.Node("Relu", "positive", [file.Graph.Node("Add", "biased", [hidden, file.Weights("b", 1, 64)])]);
        file.Write(file.Graph.Node("MatMul", "y", [positive, file.Weights("w2", 0.2f, 64, 8)]), "n", 8);
        var graph = Build(file);
        Assert.All(graph.Initializer, tensor => Assert.Equal((int)DataType.Float16, tensor.DataType));
        Assert.Equal((int)DataType.Float, graph.Input[0].Type.TensorType.ElemType);
        Assert.Equal((int)DataType.Float, graph.Output[0].Type.TensorType.ElemType);
        Assert.Equal(["Cast", "Gemm", "Relu", "MatMul", "Cast"], graph.Node.Select(node => node.OpType));
        using TensorRunner exact = new(file.Path), half = new(Path.Combine(file.Target, "model_fp16.onnx"));
        var input = GraphFile.Input(1, 5, 64);
        Assert.InRange(Agreement.Cosine([exact.Run([input])], [half.Run([input])]), 0.99999, 1.00001);
    }

    [Fact]
    public void Norms_written_out_stay_float32()
    {
        using GraphFile file = new("n", 64);
        var graph = file.Graph;
        var product = graph.Node("MatMul", "product", ["x", file.Weights("w", 50, 64, 64)]);
        var power = graph.Node("Pow", "power", [product, file.Values("two", [2])]);
        var squares = graph.Node("Mul", "squares", [power, file.Values("share", [1 / 64f])]);
        var sum = graph.Node("ReduceSum", "sum", [squares, graph.Integers("axis", -1)]);
        var root = graph.Node("Sqrt", "root", [graph.Node("Add", "safe", [sum, file.Values("epsilon", [1e-12f])])]);
        file.Write(graph.Node("Div", "y", [product, root]), "n", 64);
        Build(file);
        using TensorRunner exact = new(file.Path), half = new(Path.Combine(file.Target, "model_fp16.onnx"));
        // Squares of numbers around 300 are beyond float16.
        var input = GraphFile.Input(1, 5, 64);
        Assert.InRange(Agreement.Cosine([exact.Run([input])], [half.Run([input])]), 0.99999, 1.00001);
    }

    [Fact]
    public void A_weight_beyond_float16_is_refused_by_name()
    {
        using GraphFile file = new("n", 64);
        file.Write(file.Graph.Node("MatMul", "y", ["x", file.Weights("head.weight", 1e6f, 64, 64)]), "n", 64);
        var fault = Assert.Throws<InvalidModelException>(() => Build(file));
        Assert.Contains("head.weight", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_constant_beyond_float16_that_is_no_weight_keeps_its_node_float32()
    {
        using GraphFile file = new("n", 64);
        var product = file.Graph.Node("MatMul", "product", ["x", file.Weights("w", 0.2f, 64, 64)]);
        file.Write(file.Graph.Node("Add", "y", [product, file.Values("far", [1e6f])]), "n", 64);
        Build(file);
        using TensorRunner half = new(Path.Combine(file.Target, "model_fp16.onnx"));
        Assert.All(half.Run([GraphFile.Input(1, 1, 64)]), number => Assert.InRange(number, 1e6f - 10, 1e6f + 10));
    }

    private static R1Serverless.ModelBuilder.Onnx.GraphProto Build(GraphFile file)
    {
        TensorModelBuilder.Build(file.Path, file.Target, "model", TimeProvider.System, new TensorBuildOptions { Precisions = [Precision.Fp16] });
        return GraphFile.Read(Path.Combine(file.Target, "model_fp16.onnx")).Graph;
    }
}
