using Microsoft.ML.OnnxRuntime;
using R1Serverless.ModelBuilder.Graphs;
using R1Serverless.ModelBuilder.Onnx;
using R1Serverless.ModelBuilder.Quantization;
using static R1Serverless.ModelBuilder.Onnx.TensorProto.Types;

namespace R1Serverless.ModelBuilder.Tensors;

/// <summary>
/// Products with constant matrices (MatMul, Gemm) as decoders have them in INT8: weights with a scale for each output, activations with a scale for
/// each row, made while running. A row's result depends on no other row.
/// </summary>
internal sealed class RowProducts
{
    /// <summary>A smaller matrix gains less than quantising its input costs.</summary>
    public const int MinWeights = 4096;

    private const float ActivationStep = 1f / 127;

    /// <summary>Negative axes, which a last axis of unknown number needs, and broadcasting as it is today.</summary>
    private const int MinOpset = 11, MinAxesInput = 18;

    private readonly SourceGraph _graph;
    private readonly IReadOnlyDictionary<string, NodeMetadata> _values;
    private readonly List<NodeProto> _nodes = [];
    private readonly Dictionary<string, (string Rows, string Greatest)> _rows = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _flipped = new(StringComparer.Ordinal);
    private (string Zero, string Step, string Last)? _constants;

    private RowProducts(SourceGraph graph, IReadOnlyDictionary<string, NodeMetadata> values) => (_graph, _values) = (graph, values);

    /// <param name="graph">Rewritten in place.</param>
    /// <param name="values">Of <see cref="RuntimeGraph.Values"/>.</param>
    /// <returns>How many products became INT8.</returns>
    public static int Rewrite(SourceGraph graph, IReadOnlyDictionary<string, NodeMetadata> values) => new RowProducts(graph, values).Rewrite();

    private int Rewrite()
    {
        var count = 0;
        if (_graph.Opset < MinOpset) return count;
        foreach (var node in _graph.Nodes)
        {
            if (!IsProduct(node))
            {
                _nodes.Add(node);
                continue;
            }

            count++;
            if (node.OpType == "MatMul") Multiply(node.Input[0], node.Input[1], isTransposed: false, 1, node.Output[0]);
            else Expand(node);
        }

        if (count > 0) _graph.Replace(_nodes);
        return count;
    }

    private bool IsProduct(NodeProto node) =>
        node.OpType is "MatMul" or "Gemm" && SourceGraph.IsPlain(node)
        && _values.IsFloat(node.Input[0]) && _values.Rank(node.Input[0]) is null or >= 2
        && _graph.FloatConstant(node.Input[1], 2) is { } weights && StoredTensor.Elements(weights) >= MinWeights;

    /// <summary>Gemm is alpha · A · B + beta · C.</summary>
    private void Expand(NodeProto node)
    {
        var (alpha, beta) = (QuantizedWeights.Number(node, "alpha", 1), QuantizedWeights.Number(node, "beta", 1));
        var (input, isTransposed) = (node.Input[0], QuantizedWeights.Integer(node, "transB", 0) != 0);
        if (QuantizedWeights.Integer(node, "transA", 0) != 0) input = Flip(input);
        var bias = node.Input.Count > 2 && beta != 0 ? node.Input[2] : "";
        var product = bias.Length == 0 ? node.Output[0] : _graph.NewName($"{node.Output[0]}/product");
        Multiply(input, node.Input[1], isTransposed, alpha, product);
        if (bias.Length == 0) return;
        if (beta != 1)
        {
            var factor = _graph.Add<float>($"{node.Output[0]}/beta", DataType.Float, [], [beta]);
            bias = Node("Mul", $"{node.Output[0]}/bias", [bias, factor]);
        }

        // Not the operator's own bias: it is added before the rows' scales are applied (measured).
        _nodes.Add(OnnxNode.Create("Add", _graph.NewName($"{node.Output[0]}/sum"), [product, bias], [node.Output[0]]));
    }

    private void Multiply(string input, string weight, bool isTransposed, float factor, string output)
    {
        var (rows, greatest) = Quantize(input);
        var (weights, scales, zero) = Weights(weight, isTransposed, factor);
        _nodes.Add(OnnxNode.Create("MatMulIntegerToFloat", _graph.NewName($"{output}/int8"),
            [rows, weights, greatest, scales, Constants.Zero, zero], [output], OnnxGraph.Contrib));
    }

    /// <summary>As <see cref="RowForm"/> does it, and why.</summary>
    private (string Rows, string Greatest) Quantize(string input)
    {
        if (_rows.TryGetValue(input, out var known)) return known;
        var magnitudes = Node("Abs", $"{input}/magnitudes", [input]);
        var greatest = _graph.Opset >= MinAxesInput ? Node("ReduceMax", $"{input}/greatest", [magnitudes, Constants.Last])
            : Node("ReduceMax", $"{input}/greatest", [magnitudes], ("axes", new long[] { -1 }));
        var parts = Node("Div", $"{input}/parts", [input, greatest]);
        return _rows[input] = (Node("QuantizeLinear", $"{input}/rows", [parts, Constants.Step, Constants.Zero]), greatest);
    }

    private string Flip(string input) =>
        _flipped.TryGetValue(input, out var known) ? known
            : _flipped[input] = Node("Transpose", $"{input}/transposed", [input], ("perm", new long[] { 1, 0 }));

    /// <summary>Integers [inputs, outputs] and scales [outputs], which have the activations' step and a factor in them. Each product has its own,
    /// also of a matrix that several share: sessions with <c>RuntimeOptions.ExactSums</c> can't load others.</summary>
    private (string Weights, string Scales, string Zero) Weights(string name, bool isTransposed, float factor)
    {
        var tensor = _graph.Constant(name)!;
        var values = _graph.Floats(tensor);
        var (outputs, inputs) = isTransposed ? ((int)tensor.Dims[0], (int)tensor.Dims[1]) : ((int)tensor.Dims[1], (int)tensor.Dims[0]);
        var (integers, scales) = QuantizedWeights.Round(isTransposed ? values : QuantizedWeights.Transpose<float>(values, inputs), outputs);
        for (var i = 0; i < scales.Length; i++) scales[i] *= ActivationStep * factor;
        return (
            _graph.Add<byte>($"{name}/int8", QuantizedWeights.Type, [inputs, outputs], QuantizedWeights.Transpose<byte>(integers, outputs)),
            _graph.Add<float>($"{name}/scales", DataType.Float, [outputs], scales),
            _graph.Add<byte>($"{name}/zero", QuantizedWeights.Type, [], [QuantizedWeights.Zero]));
    }

    private string Node(string type, string name, IEnumerable<string> inputs, params IEnumerable<(string, object)> attributes)
    {
        var output = _graph.NewName(name);
        _nodes.Add(OnnxNode.Create(type, output, inputs, [output], "", attributes));
        return output;
    }

    private (string Zero, string Step, string Last) Constants => _constants ??= (
        _graph.Add<byte>("activation_zero", DataType.Uint8, [], [IntegerRows.Zero]),
        _graph.Add<float>("activation_step", DataType.Float, [], [ActivationStep]),
        _graph.Add<long>("last_axis", DataType.Int64, [1], [-1L]));
}
