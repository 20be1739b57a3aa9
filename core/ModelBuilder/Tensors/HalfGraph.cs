using System.Numerics.Tensors;
using Microsoft.ML.OnnxRuntime;
using R1Serverless.ModelBuilder.Graphs;
using R1Serverless.ModelBuilder.Onnx;
using R1Serverless.Models;
using static R1Serverless.ModelBuilder.Onnx.TensorProto.Types;

namespace R1Serverless.ModelBuilder.Tensors;

/// <summary>
/// A graph in float16. Products and convolutions always are; what follows them is as long as all that it reads is; anything else stays float32: what
/// adds up many numbers or leaves float16's range easily (means, powers, norms written out, softmax over a float32 mask), and operators that are
/// not known to have float16 kernels. Casts stand between the two. Inputs and outputs keep their types.
/// </summary>
internal sealed class HalfGraph
{
    private static readonly HashSet<string> Always = ["Conv", "ConvTranspose", "Gemm", "MatMul"];

    private static readonly HashSet<string> Following =
    [
        "Abs", "Add", "AveragePool", "BatchNormalization", "Clip", "Concat", "DepthToSpace", "Div", "Elu", "Erf", "Expand", "Flatten", "Gather",
        "Gelu", "GlobalAveragePool", "GlobalMaxPool", "HardSigmoid", "HardSwish", "Identity", "InstanceNormalization", "LayerNormalization",
        "LeakyRelu", "MaxPool", "Mul", "Neg", "PRelu", "Pad", "Relu", "Reshape", "Selu", "Sigmoid", "Slice", "Softmax", "SpaceToDepth", "Split",
        "Squeeze", "Sub", "Tanh", "Tile", "Transpose", "Unsqueeze", "Where",
    ];

    private readonly SourceGraph _graph;
    private readonly IReadOnlyDictionary<string, NodeMetadata> _values;
    private readonly List<NodeProto> _nodes = [];

    /// <summary>What a value is called in float16, once it exists.</summary>
    private readonly Dictionary<string, string> _halves = new(StringComparer.Ordinal);

    /// <summary>Values that nodes make in float16; and those of them that are there in float32 too.</summary>
    private readonly HashSet<string> _made = new(StringComparer.Ordinal), _restored = new(StringComparer.Ordinal);

    /// <summary>Whether a constant has a value in float16.</summary>
    private readonly Dictionary<string, bool> _fits = new(StringComparer.Ordinal);

    private HalfGraph(SourceGraph graph, IReadOnlyDictionary<string, NodeMetadata> values) => (_graph, _values) = (graph, values);

    /// <param name="graph">Rewritten in place.</param>
    /// <param name="values">Of <see cref="RuntimeGraph.Values"/>.</param>
    /// <returns>How many nodes became float16.</returns>
    /// <exception cref="InvalidModelException">A weight has no value in float16.</exception>
    public static int Rewrite(SourceGraph graph, IReadOnlyDictionary<string, NodeMetadata> values) => new HalfGraph(graph, values).Rewrite();

    private int Rewrite()
    {
        var count = 0;
        foreach (var node in _graph.Nodes)
        {
            if (!Becomes(node))
            {
                foreach (var name in SourceGraph.Reads(node).Distinct()) Restore(name);
                _nodes.Add(node);
                continue;
            }

            count++;
            for (var i = 0; i < node.Input.Count; i++)
                if (IsFloat(node.Input[i])) node.Input[i] = ToHalf(node.Input[i]);
            for (var i = 0; i < node.Output.Count; i++)
            {
                var name = node.Output[i];
                if (!IsFloat(name)) continue;
                node.Output[i] = _halves[name] = _graph.NewName($"{name}/fp16");
                _made.Add(name);
            }

            _nodes.Add(node);
        }

        foreach (var name in _graph.Outputs) Restore(name);
        _graph.Replace(_nodes);
        return count;
    }

    private bool Becomes(NodeProto node)
    {
        if (!SourceGraph.IsPlain(node)) return false;
        string[] floats = [.. node.Input.Where(IsFloat)];
        var constants = floats.Select(name => _graph.FloatConstant(name)).OfType<TensorProto>();
        if (Always.Contains(node.OpType))
        {
            foreach (var tensor in constants)
            {
                if (!Fits(tensor))
                    throw new InvalidModelException(
                        $"The tensor {tensor.Name} has values beyond what float16 can hold (±65504): build the model without fp16.");
            }

            return floats.Length > 0;
        }

        // A second output of a norm, its mean, may have a type of its own.
        if (node.OpType.EndsWith("Normalization", StringComparison.Ordinal) && node.Output.Count > 1) return false;
        if (!Following.Contains(node.OpType) || !constants.All(Fits)) return false;
        // A table that is looked up makes half of the file's size.
        var made = floats.Where(name => _graph.Constant(name) is null).ToList();
        return made.Count > 0 ? made.All(_made.Contains) : floats.Length > 0 && node.OpType == "Gather";
    }

    private bool IsFloat(string name) => _values.IsFloat(name) || _graph.FloatConstant(name) is not null;

    /// <summary>Neither infinite in float16 nor, where it is a single number such as a norm's epsilon, zero.</summary>
    private bool Fits(TensorProto tensor)
    {
        if (_fits.TryGetValue(tensor.Name, out var known)) return known;
        var values = _graph.Floats(tensor);
        return _fits[tensor.Name] = values.Length == 0 || (Math.Abs(TensorPrimitives.MaxMagnitude(values)) <= (float)Half.MaxValue
            && (values.Length > 1 || values[0] == 0 || (float)(Half)values[0] != 0));
    }

    /// <summary>The value's name in float16.</summary>
    private string ToHalf(string name)
    {
        if (_halves.TryGetValue(name, out var known)) return known;
        if (_graph.FloatConstant(name) is { } tensor)
        {
            var values = _graph.Floats(tensor);
            var halves = new Half[values.Length];
            TensorPrimitives.ConvertToHalf(values, halves);
            return _halves[name] = _graph.Add<Half>($"{name}/fp16", DataType.Float16, tensor.Dims, halves);
        }

        var half = _halves[name] = _graph.NewName($"{name}/fp16");
        _nodes.Add(OnnxNode.Create("Cast", half, [name], [half], "", ("to", (int)DataType.Float16)));
        return half;
    }

    /// <summary>Makes the value in float32, under its own name.</summary>
    private void Restore(string name)
    {
        if (_made.Contains(name) && _restored.Add(name))
            _nodes.Add(OnnxNode.Create("Cast", _graph.NewName($"{name}/fp32"), [_halves[name]], [name], "", ("to", (int)DataType.Float)));
    }
}
