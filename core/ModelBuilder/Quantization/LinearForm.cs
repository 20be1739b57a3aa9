using R1Serverless.Abstractions;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.ModelBuilder.Graphs;
using static R1Serverless.ModelBuilder.Onnx.TensorProto.Types;

namespace R1Serverless.ModelBuilder.Quantization;

/// <summary>How a graph of one precision holds the vocabulary and computes linear layers.</summary>
internal abstract class LinearForm(OnnxGraph graph, DataType states)
{
    protected OnnxGraph Graph { get; } = graph;

    /// <summary>The type of hidden states, keys and values: float32 or float16.</summary>
    public DataType States { get; } = states;

    /// <summary>Whether hidden states are [tokens, hidden] rather than [batch, sequence, hidden].</summary>
    public virtual bool IsFlat => false;

    /// <summary>Whether flat hidden states end with a row of no token.</summary>
    public virtual bool HasSpareRow => false;

    public static LinearForm Create(OnnxGraph graph, Precision precision, QuantizedLayout? layout)
    {
        if (layout is null && precision is Precision.Fp32 or Precision.Fp16)
            return new FloatForm(graph, precision == Precision.Fp16 ? DataType.Float16 : DataType.Float);
        return (layout ?? QuantizedLayout.Of(precision)) switch
        {
            QuantizedLayout.Rows rows => new RowForm(graph, rows),
            QuantizedLayout.Blocks blocks => new BlockForm(graph, blocks),
            var other => throw new ArgumentOutOfRangeException(nameof(layout), other, "This layout has no form."),
        };
    }

    /// <summary>The hidden states of the tokens <paramref name="ids"/>, shaped as the form's states are.</summary>
    public abstract string Embed(string name, CheckpointTensor table, string ids);

    /// <summary>Linear layers [outputs, inputs] of one input as one product, side by side, with as many biases or none.</summary>
    public abstract string Product(string name, string input, IReadOnlyList<CheckpointTensor> weights, IReadOnlyList<CheckpointTensor> biases);

    /// <summary>The product with the vocabulary, in float32.</summary>
    /// <param name="name">The node's name, and what it returns.</param>
    /// <param name="input">Hidden states.</param>
    /// <param name="head">[vocabulary, hidden]; the embedding's own tensor where they are tied.</param>
    /// <param name="tied">Whether it is.</param>
    public abstract string Logits(string name, string input, CheckpointTensor head, bool tied);

    /// <summary>A bias, or a norm's weight, in the states' type.</summary>
    public string Plain(string name, params IReadOnlyList<CheckpointTensor> parts) => Graph.Constant(new WeightInitializer(name, parts, PlainRows()));

    protected RowFormat PlainRows() => States == DataType.Float16 ? new HalfRows() : new FloatRows();
}
