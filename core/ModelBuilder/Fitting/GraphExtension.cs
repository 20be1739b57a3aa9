using R1Serverless.ModelBuilder.Graphs;
using R1Serverless.ModelBuilder.Onnx;
using R1Serverless.ModelBuilder.Tensors;
using static R1Serverless.ModelBuilder.Onnx.TensorProto.Types;

namespace R1Serverless.ModelBuilder.Fitting;

/// <summary>Puts nodes behind those of a graph, of whatever operator set from 11 on, and makes them its outputs.</summary>
internal sealed class GraphExtension(SourceGraph graph)
{
    /// <summary>From these sets on, axes are an input.</summary>
    private const int SumAxesInput = 13, MaxAxesInput = 18;

    private readonly List<NodeProto> _nodes = [.. graph.Nodes];

    /// <returns>The name of the node's output.</returns>
    public string Node(string type, string name, IEnumerable<string> inputs, params IEnumerable<(string, object)> attributes)
    {
        var output = graph.NewName(name);
        _nodes.Add(OnnxNode.Create(type, output, inputs, [output], "", attributes));
        return output;
    }

    /// <summary>The sum over an axis, which then is gone.</summary>
    public string Sum(string name, string input, int axis) => Reduce("ReduceSum", name, input, axis, graph.Opset >= SumAxesInput);

    /// <summary>The greatest over an axis, which then is gone.</summary>
    public string Greatest(string name, string input, int axis) => Reduce("ReduceMax", name, input, axis, graph.Opset >= MaxAxesInput);

    /// <summary>The least over an axis, which then is gone.</summary>
    public string Least(string name, string input, int axis) => Reduce("ReduceMin", name, input, axis, graph.Opset >= MaxAxesInput);

    /// <summary>The same numbers in another shape; 0 keeps a dimension.</summary>
    public string Reshape(string name, string input, params long[] shape) => Node("Reshape", name, [input, Integers("shape", shape)]);

    public string Floats(string name, ReadOnlySpan<float> values, params IEnumerable<long> shape) =>
        graph.Add(name, DataType.Float, shape, values);

    public string Number(string name, float value) => Floats(name, [value]);

    /// <summary>A single whole number.</summary>
    public string Index(string name, long value) => graph.Add<long>(name, DataType.Int64, [], [value]);

    public string Texts(string name, IReadOnlyCollection<string> texts) => graph.Add(name, texts);

    /// <summary>Makes these the graph's only outputs, each behind the batch axis of its first input; what none of them needs goes.</summary>
    /// <param name="outputs">A value, the name that it gets, its type, and its dimensions behind the batch axis; null where one is not known.</param>
    public void Finish(params IReadOnlyList<(string Value, string Name, DataType Type, int?[] Shape)> outputs)
    {
        var moved = outputs.ToDictionary(output => output.Name, output => Vacate(output.Name), StringComparer.Ordinal);
        foreach (var (value, name, _, _) in outputs)
            _nodes.Add(OnnxNode.Create("Identity", graph.NewName($"{name}/output"), [moved.GetValueOrDefault(value) ?? value], [name]));
        var batch = graph.Model.Graph.Input[0].Type.TensorType.Shape.Dim[0];
        graph.Model.Graph.Output.Clear();
        graph.Model.Graph.Output.Add(outputs.Select(output => new ValueInfoProto
        {
            Name = output.Name,
            Type = new TypeProto
            {
                TensorType = new TypeProto.Types.Tensor
                {
                    ElemType = (int)output.Type,
                    Shape = new TensorShapeProto
                    {
                        Dim = { batch.Clone(), output.Shape.Select(Dimension) },
                    },
                },
            },
        }));
        graph.Replace(Needed());
    }

    /// <summary>Gives a value of the graph, its present output perhaps, another name, so that an output may have this one.</summary>
    /// <returns>The other name; null where no value had it.</returns>
    private string? Vacate(string name)
    {
        if (!_nodes.Exists(node => node.Output.Contains(name))) return null;
        var other = graph.NewName(name);
        foreach (var node in _nodes)
        {
            for (var i = 0; i < node.Output.Count; i++) node.Output[i] = node.Output[i] == name ? other : node.Output[i];
            for (var i = 0; i < node.Input.Count; i++) node.Input[i] = node.Input[i] == name ? other : node.Input[i];
        }

        return other;
    }

    private static TensorShapeProto.Types.Dimension Dimension(int? size) =>
        size is { } known ? new TensorShapeProto.Types.Dimension { DimValue = known } : new();

    private string Reduce(string type, string name, string input, int axis, bool isInput) => isInput
        ? Node(type, name, [input, Integers("axis", axis)], ("keepdims", 0))
        : Node(type, name, [input], ("axes", new long[] { axis }), ("keepdims", 0));

    private string Integers(string name, params long[] values) => graph.Add<long>(name, DataType.Int64, [values.Length], values);

    private List<NodeProto> Needed()
    {
        var read = graph.Outputs;
        List<NodeProto> needed = [];
        foreach (var node in Enumerable.Reverse(_nodes))
        {
            if (!node.Output.Any(read.Contains)) continue;
            read.UnionWith(SourceGraph.Reads(node));
            needed.Add(node);
        }

        needed.Reverse();
        return needed;
    }
}
