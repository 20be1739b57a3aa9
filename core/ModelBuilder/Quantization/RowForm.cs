using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.ModelBuilder.Graphs;

using static R1Serverless.ModelBuilder.Onnx.TensorProto.Types;

namespace R1Serverless.ModelBuilder.Quantization;

/// <summary>
/// Weights in 8 bits with a scale for each output; activations in 8 bits with a scale for each token, made while running. Sums of products are whole
/// numbers, so that a token's result depends neither on its neighbours nor on the order of adding.
/// </summary>
/// <param name="headBytes">The most that a part of the product with the vocabulary has, in bytes.</param>
internal sealed class RowForm(OnnxGraph graph, QuantizedLayout.Rows layout, int headBytes = RowForm.HeadBytes) : LinearForm(graph, DataType.Float)
{
    /// <summary>As other layers have: a much larger one is packed by a single thread while the others wait, into memory that is new to the process
    /// (docs/cold-start.md).</summary>
    private const int HeadBytes = 16 << 20;

    /// <summary>Outputs that kernels compute together.</summary>
    private const int Together = 64;

    /// <summary>Of an activation that is divided by its token's greatest.</summary>
    private const float ActivationStep = 1f / 127;

    private readonly Dictionary<string, (string Rows, string Greatest)> _quantized = new(StringComparer.Ordinal);

    private (string Zero, string WeightZero, string Step, string Last)? _constants;

    public override string Embed(string name, CheckpointTensor table, string ids)
    {
        var format = new IntegerRows(layout.Limit);
        var weight = Graph.Constant(new WeightInitializer("model.embed_tokens.weight", [table], format));
        var scales = Graph.Constant(new ScaleInitializer($"{weight}_scale", format, table.Shape[0], table.Shape[1]));
        var rows = Graph.Node("Cast", $"{name}/rows/cast", [Graph.Node("Gather", $"{name}/rows", [weight, ids])], "", ("to", (int)DataType.Float));
        var scale = Graph.Node("Unsqueeze", $"{name}/scales/column", [Graph.Node("Gather", $"{name}/scales", [scales, ids]), Constants.Last]);
        return Graph.Node("Mul", name, [rows, scale]);
    }

    public override string Product(string name, string input, IReadOnlyList<CheckpointTensor> weights, IReadOnlyList<CheckpointTensor> biases)
    {
        var (rows, greatest) = Quantize(input);
        var format = new IntegerRows(layout.Limit, layout.Unsigned);
        var weight = Graph.Constant(new WeightInitializer($"{name}.weight", weights, format, transposed: true));
        var scales =
            Graph.Constant(new ScaleInitializer($"{weight}_scale", format, weights.Sum(part => part.Shape[0]), weights[0].Shape[1], ActivationStep));
        var product = Graph.Node(
            "MatMulIntegerToFloat", biases.Count > 0 ? $"{name}/product" : name,
            [rows, weight, greatest, scales, Constants.Zero, Constants.WeightZero], OnnxGraph.Contrib);
        // Not the operator's own bias: it is added before the rows' scales are applied (measured).
        return biases.Count > 0 ? Graph.Node("Add", name, [product, Plain($"{name}.bias", biases)]) : product;
    }

    /// <summary>A tied embedding is stored twice: rows for looking up, columns for the product. Parts of a large one are products of their own, put
    /// together again, which costs a step nothing that could be measured.</summary>
    public override string Logits(string name, string input, CheckpointTensor head, bool tied)
    {
        var (tokens, most) = (head.Shape[0], Math.Max(1, headBytes / head.Shape[1] / Together) * Together);
        if (tokens <= most) return Product(name, input, [head], []);
        List<string> parts = [];
        for (var first = 0L; first < tokens; first += most)
            parts.Add(Product($"{name}/{parts.Count}", input, [head.Rows(first, Math.Min(most, tokens - first))], []));
        return Graph.Node("Concat", name, parts, "", ("axis", -1));
    }

    /// <summary>
    /// Activations as uint8 around 128, and each token's greatest magnitude [.., 1]; made once for all products of one input. At one token a node
    /// costs its call, so there are as few as can be: the step is part of the weights' scales. A token of zeros is divided by zero, and whatever that
    /// rounds to is multiplied by zero.
    /// </summary>
    private (string Rows, string Greatest) Quantize(string input)
    {
        if (_quantized.TryGetValue(input, out var known)) return known;
        var magnitudes = Graph.Node("Abs", $"{input}/magnitudes", [input]);
        var greatest = Graph.Node("ReduceMax", $"{input}/greatest", [magnitudes, Constants.Last]);
        var parts = Graph.Node("Div", $"{input}/parts", [input, greatest]);
        var rows = Graph.Node("QuantizeLinear", $"{input}/rows", [parts, Constants.Step, Constants.Zero]);
        return _quantized[input] = (rows, greatest);
    }

    private (string Zero, string WeightZero, string Step, string Last) Constants => _constants ??= (
        Graph.Scalar("activation_zero", DataType.Uint8, (byte)IntegerRows.Zero),
        layout.Unsigned ? Graph.Scalar("weight_zero", DataType.Uint8, (byte)IntegerRows.Zero) : Graph.Scalar("weight_zero", DataType.Int8, (sbyte)0),
        Graph.Scalar("activation_step", DataType.Float, ActivationStep),
        Graph.Integers("last_axis", -1));
}
