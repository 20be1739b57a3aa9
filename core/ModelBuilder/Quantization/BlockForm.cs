using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.ModelBuilder.Graphs;

using static R1Serverless.ModelBuilder.Onnx.TensorProto.Types;

namespace R1Serverless.ModelBuilder.Quantization;

/// <summary>Weights in blocks for MatMulNBits; the vocabulary, at both ends, in 8-bit rows.</summary>
internal sealed class BlockForm(OnnxGraph graph, QuantizedLayout.Blocks layout) : LinearForm(graph, DataType.Float)
{
    private readonly RowForm _vocabulary = new(graph, new QuantizedLayout.Rows(QuantizedLayout.SafeLimit, Unsigned: false));

    public override bool IsFlat => true;

    public override bool HasSpareRow => layout.SpareRow;

    public override string Embed(string name, CheckpointTensor table, string ids) => _vocabulary.Embed(name, table, ids);

    public override string Product(string name, string input, IReadOnlyList<CheckpointTensor> weights, IReadOnlyList<CheckpointTensor> biases)
    {
        var format = new BlockRows(layout.Bits, layout.Block, layout.Symmetric);
        var (outputs, inputs) = ((int)weights.Sum(part => part.Shape[0]), (int)weights[0].Shape[1]);
        var weight = Graph.Constant(new WeightInitializer($"{name}.weight", weights, format));
        var scales = Graph.Constant(new ScaleInitializer($"{weight}_scale", format, outputs, inputs));
        var zeros = layout.Symmetric ? ""
            : Graph.Constant(new ZeroInitializer($"{weight}_zero", format, outputs, BlockRows.Blocks(inputs, layout.Block)));
        var bias = biases.Count > 0 ? Plain($"{name}.bias", biases) : "";
        return Graph.Node(
            "MatMulNBits", name, [input, weight, scales, zeros, "", bias], OnnxGraph.Contrib,
            ("K", inputs), ("N", outputs), ("bits", layout.Bits), ("block_size", layout.Block), ("accuracy_level", layout.AccuracyLevel));
    }

    public override string Logits(string name, string input, CheckpointTensor head, bool tied) => _vocabulary.Logits(name, input, head, tied);
}
