using R1Serverless.ModelBuilder.Onnx;

namespace R1Serverless.ModelBuilder.Graphs;

/// <summary>A graph under construction: nodes in order of execution, each output named after its node.</summary>
internal sealed class OnnxGraph(string name)
{
    public const string Contrib = "com.microsoft";

    /// <summary>The operator set whose Split, ReduceSum and Shape the graph uses, and the file format that goes with it.</summary>
    private const int OperatorSet = 21, IrVersion = 10;

    private readonly GraphProto _graph = new() { Name = name };
    private readonly Dictionary<string, Initializer> _initializers = new(StringComparer.Ordinal);

    public IReadOnlyCollection<Initializer> Initializers => _initializers.Values;

    /// <summary>What its constants take.</summary>
    public long Bytes => Initializers.Sum(initializer => initializer.Bytes);

    /// <summary>Elements that come from the checkpoint, each of its tensors counted once.</summary>
    public long Parameters =>
        Initializers.SelectMany(initializer => initializer.Sources).DistinctBy(source => source.Tensor.Name).Sum(source => source.Tensor.Elements);

    /// <summary>Dimensions are numbers or names.</summary>
    public void Input(string name, TensorProto.Types.DataType type, params IEnumerable<object> shape) => _graph.Input.Add(Value(name, type, shape));

    public void Output(string name, TensorProto.Types.DataType type, params IEnumerable<object> shape) => _graph.Output.Add(Value(name, type, shape));

    public string Constant(Initializer initializer)
    {
        _initializers.Add(initializer.Name, initializer);
        return initializer.Name;
    }

    public string Integers(string name, params long[] values) =>
        Constant(new ComputedInitializer<long>(name, TensorProto.Types.DataType.Int64, values, values.Length));

    public string Scalar<T>(string name, TensorProto.Types.DataType type, T value)
        where T : unmanaged => Constant(new ComputedInitializer<T>(name, type, [value]));

    /// <summary>Adds a node with one output, named after it.</summary>
    public string Node(string type, string name, IEnumerable<string> inputs, string domain = "",
        params IEnumerable<(string Name, object Value)> attributes) =>
        Node(type, name, inputs, [name], domain, attributes)[0];

    /// <summary>Adds a node. An empty input or output name leaves an optional one out.</summary>
    public IReadOnlyList<string> Node(
        string type, string name, IEnumerable<string> inputs, IReadOnlyList<string> outputs, string domain = "",
        params IEnumerable<(string Name, object Value)> attributes)
    {
        _graph.Node.Add(OnnxNode.Create(type, name, inputs, outputs, domain, attributes));
        return outputs;
    }

    /// <summary>The model around the graph, without the initialisers' values.</summary>
    public ModelProto ToModel(string version)
    {
        var model = new ModelProto { IrVersion = IrVersion, ProducerName = "r1serverless", ProducerVersion = version, Graph = _graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Version = OperatorSet });
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = Contrib, Version = 1 });
        return model;
    }

    private static ValueInfoProto Value(string name, TensorProto.Types.DataType type, IEnumerable<object> shape)
    {
        var dimensions = new TensorShapeProto();
        dimensions.Dim.Add(shape.Select(size => size switch
        {
            string symbol => new TensorShapeProto.Types.Dimension { DimParam = symbol },
            int number => new TensorShapeProto.Types.Dimension { DimValue = number },
            _ => throw new ArgumentOutOfRangeException(nameof(shape), size, "Dimensions are int or string."),
        }));
        return new ValueInfoProto
        {
            Name = name,
            Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)type, Shape = dimensions } }
        };
    }
}
