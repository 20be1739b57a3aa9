using Microsoft.ML.OnnxRuntime;
using R1Serverless.ModelBuilder.Graphs;
using R1Serverless.ModelBuilder.Onnx;
using static R1Serverless.ModelBuilder.Onnx.TensorProto.Types;

namespace R1Serverless.ModelBuilder.Tensors;

/// <summary>
/// Convolutions in INT8: weights with a scale for each channel; what they read and make is rounded in steps that were calibrated, and so the same for
/// every request. The graph says that by a rounding to uint8 and back around each convolution, which ONNX Runtime takes together with it, and with
/// the sums and poolings between two of them.
/// </summary>
internal sealed class StaticConvolutions
{
    /// <summary>A smaller convolution gains less than the rounding costs.</summary>
    public const int MinWeights = 512;

    /// <summary>From which ONNX's own operator has scales for each channel; before it, ONNX Runtime's has.</summary>
    private const int MinAxisOpset = 13;

    /// <summary>From which there are convolutions of integers.</summary>
    private const int MinOpset = 10;

    private const int Levels = 255;

    /// <summary>What they make is part of what they read: one rounding is for both.</summary>
    private static readonly HashSet<string> Passing = ["MaxPool", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Identity"];

    private readonly SourceGraph _graph;
    private readonly string _domain;
    private readonly Dictionary<string, NodeProto> _makers = new(StringComparer.Ordinal);
    private readonly List<NodeProto> _convolutions;

    /// <summary>By what is rounded: the value whose range counts, which is another one before a pooling.</summary>
    private readonly Dictionary<string, string> _rounded = new(StringComparer.Ordinal);

    /// <param name="graph">As <see cref="RuntimeGraph.Optimise"/> gives it, to be rewritten in place.</param>
    /// <param name="values">Of <see cref="RuntimeGraph.Values"/>.</param>
    public StaticConvolutions(SourceGraph graph, IReadOnlyDictionary<string, NodeMetadata> values)
    {
        (_graph, _domain) = (graph, graph.Opset >= MinAxisOpset ? "" : OnnxGraph.Contrib);
        foreach (var node in graph.Nodes)
            foreach (var output in node.Output) _makers[output] = node;
        _convolutions = [.. graph.Nodes.Where(node => graph.Opset >= MinOpset && node.OpType == "Conv" && SourceGraph.IsPlain(node)
            && values.IsFloat(node.Input[0]) && graph.FloatConstant(node.Input[1]) is { } weights && StoredTensor.Elements(weights) >= MinWeights
            && (node.Input.Count < 3 || node.Input[2].Length == 0 || graph.FloatConstant(node.Input[2], 1) is not null))];
        var readers = graph.Nodes.SelectMany(node => SourceGraph.Reads(node).Distinct().Select(name => (name, node)))
            .ToLookup(read => read.name, read => read.node, StringComparer.Ordinal);
        var outputs = graph.Outputs;
        foreach (var node in _convolutions)
        {
            Round(node.Input[0]);
            var output = node.Output[0];
            // What an activation cuts off need not be told apart.
            if (!outputs.Contains(output) && readers[output].ToList() is [{ OpType: "Relu" or "Clip" } activation]) output = activation.Output[0];
            Round(output);
        }
    }

    public int Count => _convolutions.Count;

    /// <summary>The values whose ranges are needed.</summary>
    public IReadOnlyCollection<string> Values => [.. _rounded.Values.Distinct()];

    /// <param name="ranges">The least and greatest number of each of <see cref="Values"/>.</param>
    public void Rewrite(IReadOnlyDictionary<string, (float Least, float Greatest)> ranges)
    {
        var steps = _rounded.ToDictionary(pair => pair.Key, pair => Step(ranges[pair.Value]), StringComparer.Ordinal);
        Dictionary<string, (string Scale, string Zero)> constants = new(StringComparer.Ordinal);
        List<NodeProto> nodes = [];
        HashSet<NodeProto> convolutions = [.. _convolutions];
        Dictionary<string, string> given = new(StringComparer.Ordinal);
        foreach (var input in _rounded.Keys.Where(name => !_makers.ContainsKey(name)))
            given[input] = AddRounding(nodes, input, _graph.NewName($"{input}/rounded"), constants, steps[input]);
        foreach (var node in _graph.Nodes)
        {
            if (convolutions.Contains(node))
            {
                var scale = steps[node.Input[0]].Scale;
                if (given.TryGetValue(node.Input[0], out var rounded)) node.Input[0] = rounded;
                Quantize(nodes, node, scale);
            }

            nodes.Add(node);
            for (var i = 0; i < node.Output.Count; i++)
            {
                var name = node.Output[i];
                if (!steps.TryGetValue(name, out var step)) continue;
                // Whoever reads it, the graph's outputs included, gets the rounded numbers.
                node.Output[i] = _graph.NewName($"{name}/exact");
                AddRounding(nodes, node.Output[i], name, constants, step);
            }
        }

        _graph.Replace(nodes);
    }

    private void Round(string value)
    {
        List<string> passed = [];
        var counts = value;
        while (_makers.TryGetValue(counts, out var node) && Passing.Contains(node.OpType) && _graph.Constant(node.Input[0]) is null)
        {
            passed.Add(counts);
            counts = node.Input[0];
        }

        foreach (var name in passed) _rounded[name] = counts;
        if (passed.Count == 0 || _makers.ContainsKey(counts)) _rounded[counts] = counts;
    }

    /// <summary>Of 256 steps over the range, in which zero is exact.</summary>
    private static (float Scale, byte Zero) Step((float Least, float Greatest) range)
    {
        var (least, greatest) = (Math.Min(range.Least, 0), Math.Max(range.Greatest, 0));
        var scale = Math.Max((greatest - least) / Levels, 1e-9f);
        return (scale, (byte)Math.Clamp(MathF.Round(-least / scale), 0, Levels));
    }

    private string AddRounding(List<NodeProto> nodes, string value, string rounded, Dictionary<string, (string Scale, string Zero)> constants,
        (float Scale, byte Zero) step)
    {
        var key = $"{BitConverter.SingleToInt32Bits(step.Scale)}/{step.Zero}";
        if (!constants.TryGetValue(key, out var known))
            constants[key] = known = (_graph.Add<float>($"{rounded}/scale", DataType.Float, [], [step.Scale]),
                _graph.Add<byte>($"{rounded}/zero", DataType.Uint8, [], [step.Zero]));
        var integers = _graph.NewName($"{rounded}/uint8");
        nodes.Add(OnnxNode.Create("QuantizeLinear", integers, [value, known.Scale, known.Zero], [integers], _domain));
        nodes.Add(OnnxNode.Create("DequantizeLinear", _graph.NewName($"{rounded}/float"), [integers, known.Scale, known.Zero], [rounded], _domain));
        return rounded;
    }

    /// <summary>Weights to int8, the bias to int32 in steps of input scale times weight scale.</summary>
    private void Quantize(List<NodeProto> nodes, NodeProto node, float inputScale)
    {
        var tensor = _graph.Constant(node.Input[1])!;
        var weights = _graph.Floats(tensor);
        var channels = (int)tensor.Dims[0];
        var bias = node.Input.Count > 2 && node.Input[2].Length > 0 ? _graph.Floats(_graph.Constant(node.Input[2])!) : [];
        var (integers, scales) = QuantizedWeights.Round(weights, channels);
        QuantizedWeights.Widen(weights, integers, scales, bias, inputScale);
        // A copy for each convolution, as sessions with ExactSums need it.
        node.Input[1] = AddConstant(nodes, node.Input[1], QuantizedWeights.Type, [.. tensor.Dims], integers, scales, QuantizedWeights.Zero);
        if (bias.Length == 0) return;
        var steps = scales.Select(scale => scale * inputScale).ToArray();
        var rounded = bias.Zip(steps, (value, step) => (int)MathF.Round(value / step)).ToArray();
        node.Input[2] = AddConstant(nodes, node.Input[2], DataType.Int32, [channels], rounded, steps, 0);
    }

    private string AddConstant<T>(List<NodeProto> nodes, string name, DataType type, long[] shape, T[] integers, float[] scales, T none)
        where T : unmanaged
    {
        var constant = _graph.Add<T>($"{name}/int", type, shape, integers);
        var scale = _graph.Add<float>($"{constant}/scales", DataType.Float, [scales.Length], scales);
        var zero = _graph.Add<T>($"{constant}/zeros", type, [scales.Length], [.. Enumerable.Repeat(none, scales.Length)]);
        var value = _graph.NewName($"{constant}/float");
        nodes.Add(OnnxNode.Create("DequantizeLinear", value, [constant, scale, zero], [value], _domain, ("axis", 0)));
        return value;
    }
}
