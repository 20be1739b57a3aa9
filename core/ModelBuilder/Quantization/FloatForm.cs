using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.ModelBuilder.Graphs;

using static R1Serverless.ModelBuilder.Onnx.TensorProto.Types;

namespace R1Serverless.ModelBuilder.Quantization;

/// <summary>Weights as floating-point numbers.</summary>
internal sealed class FloatForm(OnnxGraph graph, DataType states) : LinearForm(graph, states)
{
    private string _embedding = "";

    public override string Embed(string name, CheckpointTensor table, string ids)
    {
        _embedding = Plain("model.embed_tokens.weight", table);
        return Graph.Node("Gather", name, [_embedding, ids]);
    }

    public override string Product(string name, string input, IReadOnlyList<CheckpointTensor> weights, IReadOnlyList<CheckpointTensor> biases)
    {
        var product = Graph.Node("MatMul", biases.Count > 0 ? $"{name}/product" : name, [input, Transposed($"{name}.weight", weights)]);
        return biases.Count > 0 ? Graph.Node("Add", name, [product, Plain($"{name}.bias", biases)]) : product;
    }

    /// <summary>A tied embedding is one constant for both ends: a transposed copy was not measurably faster, and would make the file
    /// larger.</summary>
    public override string Logits(string name, string input, CheckpointTensor head, bool tied)
    {
        var product = States == DataType.Float ? name : $"{name}/product";
        if (tied) Graph.Node("FusedMatMul", product, [input, _embedding], OnnxGraph.Contrib, ("transB", 1));
        else Graph.Node("MatMul", product, [input, Transposed("lm_head.weight", [head])]);
        return States == DataType.Float ? product : Graph.Node("Cast", name, [product], "", ("to", (int)DataType.Float));
    }

    private string Transposed(string name, IReadOnlyList<CheckpointTensor> weights) =>
        Graph.Constant(new WeightInitializer(name, weights, PlainRows(), transposed: true));
}
