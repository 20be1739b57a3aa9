using Microsoft.ML.OnnxRuntime;
using R1Serverless.ModelBuilder.Graphs;
using R1Serverless.ModelBuilder.Onnx;
using static R1Serverless.ModelBuilder.Onnx.TensorProto.Types;

namespace R1Serverless.ModelBuilder.Tensors;

/// <summary>Graphs of older operator sets as those of <see cref="Target"/>, which has integer operators, where each operator in them means the same
/// there, or is written in another way: attributes that have become inputs since.</summary>
internal static class OpsetRaise
{
    public const int Target = 13;

    /// <summary>Before it, sums and products had other rules for shapes that differ.</summary>
    private const int Oldest = 7;

    private static readonly HashSet<string> Unchanged =
    [
        "Abs", "Add", "AveragePool", "BatchNormalization", "Cast", "Concat", "Conv", "ConvTranspose", "DepthToSpace", "Div", "Elu", "Erf", "Exp",
        "Flatten", "Floor", "Gather", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "HardSigmoid", "Identity", "InstanceNormalization", "LRN",
        "LeakyRelu", "Log", "MatMul", "Max", "MaxPool", "Mean", "Min", "Mul", "Neg", "PRelu", "Pow", "ReduceMax", "ReduceMean", "ReduceMin", "Relu",
        "Reshape", "Selu", "Shape", "Sigmoid", "Sqrt", "Sub", "Sum", "Tanh", "Transpose",
    ];

    /// <summary>The attributes of an operator that have become inputs, in their order, and whether these are floats; else they are lists of whole
    /// numbers.</summary>
    private static readonly Dictionary<string, (string[] Names, bool AreFloats)> Inputs = new(StringComparer.Ordinal)
    {
        ["Clip"] = (["min", "max"], true), ["Slice"] = (["starts", "ends", "axes"], false), ["Squeeze"] = (["axes"], false),
        ["Unsqueeze"] = (["axes"], false), ["ReduceSum"] = (["axes"], false),
    };

    /// <summary>Raises the set where it can be raised.</summary>
    /// <param name="values">Of <see cref="RuntimeGraph.Values"/>.</param>
    /// <returns>An operator that keeps it from being raised; null where it has been, or need not be.</returns>
    public static string? Apply(SourceGraph graph, IReadOnlyDictionary<string, NodeMetadata> values)
    {
        if (graph.Opset >= Target) return null;
        if ((graph.Opset < Oldest ? graph.Nodes[0] : graph.Nodes.FirstOrDefault(node => !Holds(node, values))) is { OpType: var obstacle })
            return obstacle;
        graph.SetOpset(Target);
        List<NodeProto> nodes = [];
        foreach (var node in graph.Nodes)
        {
            if (node.OpType == "Softmax" && SourceGraph.IsPlain(node)) nodes.AddRange(Softmax(graph, node, values.Rank(node.Input[0])));
            else nodes.Add(node);
            if (SourceGraph.IsPlain(node)) TakeInputs(graph, node);
        }

        graph.Replace(nodes);
        return null;
    }

    /// <summary>Operators of other domains have versions of their own.</summary>
    private static bool Holds(NodeProto node, IReadOnlyDictionary<string, NodeMetadata> values) =>
        !SourceGraph.IsPlain(node) ? node.Domain.Length > 0 && node.Domain != "ai.onnx" && !SourceGraph.HasGraphs(node)
        : node.OpType == "Clip" ? values.IsFloat(node.Input[0])
        : node.OpType == "Softmax" || Inputs.ContainsKey(node.OpType)
        || (Unchanged.Contains(node.OpType) && node.Attribute.All(attribute => attribute.Name != "spatial"));

    private static void TakeInputs(SourceGraph graph, NodeProto node)
    {
        // What has several inputs is of a set that had these already.
        if (!Inputs.TryGetValue(node.OpType, out var form) || node.Input.Count > 1) return;
        foreach (var name in form.Names)
        {
            var attribute = node.Attribute.FirstOrDefault(one => one.Name == name);
            if (attribute is null) node.Input.Add("");
            else
            {
                node.Input.Add(form.AreFloats ? graph.Add<float>($"{node.Output[0]}/{name}", DataType.Float, [], [attribute.F])
                    : graph.Add<long>($"{node.Output[0]}/{name}", DataType.Int64, [attribute.Ints.Count], [.. attribute.Ints]));
                node.Attribute.Remove(attribute);
            }
        }

        while (node.Input[^1].Length == 0) node.Input.RemoveAt(node.Input.Count - 1);
    }

    /// <summary>Before set 13 all dimensions from the axis on were one.</summary>
    private static NodeProto[] Softmax(SourceGraph graph, NodeProto node, int? rank)
    {
        var axis = QuantizedWeights.Integer(node, "axis", 1);
        var (input, output) = (node.Input[0], node.Output[0]);
        if (axis == -1 || axis == rank - 1) return [OnnxNode.Create("Softmax", node.Name, [input], [output], "", ("axis", -1))];
        var (flat, shares, shape) = (graph.NewName($"{output}/flat"), graph.NewName($"{output}/shares"), graph.NewName($"{output}/shape"));
        return
        [
            OnnxNode.Create("Flatten", flat, [input], [flat], "", ("axis", (int)axis)),
            OnnxNode.Create("Softmax", shares, [flat], [shares], "", ("axis", -1)),
            OnnxNode.Create("Shape", shape, [input], [shape], ""),
            OnnxNode.Create("Reshape", graph.NewName($"{output}/shaped"), [shares, shape], [output], ""),
        ];
    }
}
