using R1Serverless.ModelBuilder.Onnx;

namespace R1Serverless.ModelBuilder.Tensors;

/// <summary>Graphs of older operator sets as those of <see cref="Target"/>, which has integer operators, where no operator in them has changed its
/// meaning, inputs or attributes since.</summary>
internal static class OpsetRaise
{
    public const int Target = 13;

    /// <summary>Before it, sums and products had other rules for shapes that differ.</summary>
    private const int Oldest = 7;

    private static readonly HashSet<string> Unchanged =
    [
        "Abs", "Add", "AveragePool", "BatchNormalization", "Cast", "Concat", "Conv", "ConvTranspose", "DepthToSpace", "Div", "Elu", "Exp", "Flatten",
        "Gather", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "Identity", "InstanceNormalization", "LRN", "LeakyRelu", "Log", "MatMul", "Max",
        "MaxPool", "Mean", "Min", "Mul", "Neg", "PRelu", "Relu", "Reshape", "Selu", "Shape", "Sigmoid", "Sqrt", "Sub", "Sum", "Tanh", "Transpose",
    ];

    /// <summary>Raises the set where it can be raised.</summary>
    public static void Apply(SourceGraph graph)
    {
        if (graph.Opset is < Oldest or >= Target || !graph.Nodes.All(Holds)) return;
        graph.SetOpset(Target);
    }

    /// <summary>Operators of other domains have versions of their own.</summary>
    private static bool Holds(NodeProto node) =>
        SourceGraph.IsPlain(node) ? Unchanged.Contains(node.OpType) && node.Attribute.All(attribute => attribute.Name != "spatial")
            : node.Domain.Length > 0 && node.Domain != "ai.onnx" && !SourceGraph.HasGraphs(node);
}
