using Google.Protobuf;
using R1Serverless.ModelBuilder.Graphs;
using R1Serverless.ModelBuilder.Onnx;
using R1Serverless.Models;
using static R1Serverless.ModelBuilder.Onnx.TensorProto.Types;

namespace R1Serverless.ModelBuilder.Tensors;

/// <summary>
/// A graph of an ONNX file, to be rewritten. All its constants are initializers, which no input can replace. Graphs inside nodes (of If, Loop, Scan)
/// and functions are kept as they are. Contents of constants stay in the file until they are asked for.
/// </summary>
internal sealed class SourceGraph
{
    private readonly Dictionary<string, TensorProto> _constants;
    private readonly HashSet<string> _names;

    private SourceGraph(ModelProto model, string path)
    {
        (Model, Path) = (model, path);
        _constants = model.Graph.Initializer.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
        model.Graph.Initializer.Clear();
        _names = [.. _constants.Keys, .. model.Graph.Input.Select(input => input.Name), .. model.Graph.Node.SelectMany(Names)];
    }

    /// <summary>All but the constants.</summary>
    public ModelProto Model { get; }

    /// <summary>The file it was read from; contents of constants may lie beside it.</summary>
    public string Path { get; }

    public IList<NodeProto> Nodes => Model.Graph.Node;

    public IReadOnlyCollection<TensorProto> Constants => _constants.Values;

    /// <summary>The version of ONNX's own operators.</summary>
    public long Opset => Model.OpsetImport.First(set => IsStandard(set.Domain)).Version;

    public HashSet<string> Outputs => [.. Model.Graph.Output.Select(output => output.Name)];

    /// <exception cref="InvalidModelException">The file is missing, too large, damaged or of a kind that can't be rewritten.</exception>
    /// <exception cref="IOException">It can't be read.</exception>
    public static SourceGraph Read(string path)
    {
        if (!File.Exists(path)) throw new InvalidModelException($"{path} does not exist.");
        if (new FileInfo(path).Length > int.MaxValue)
            throw new InvalidModelException($"{path} is larger than 2 GiB: larger graphs keep their weights in files of their own.");
        var model = GraphWeights.Parse(path);
        if (model.Graph is not { Node.Count: > 0, Output.Count: > 0 } graph)
            throw new InvalidModelException($"{path} is no ONNX file: it has no graph with nodes and outputs.");
        if (!model.OpsetImport.Any(set => IsStandard(set.Domain)))
            throw new InvalidModelException($"{path} does not say which version of ONNX's operators it uses.");
        if (graph.Node.SelectMany(Contents).FirstOrDefault(StoredTensor.IsExternal) is { } inner)
            throw new InvalidModelException($"{path}: the tensor {inner.Name} of a node is kept in another file, which is not supported.");
        TakeConstants(graph);
        if (graph.Initializer.GroupBy(tensor => tensor.Name, StringComparer.Ordinal).FirstOrDefault(same => same.Count() > 1) is { } twice)
            throw new InvalidModelException($"{path} has two constants named '{twice.Key}'.");
        foreach (var tensor in graph.Initializer) StoredTensor.Check(tensor, path);
        // Before version 4 every constant had to be an input.
        model.IrVersion = Math.Max(model.IrVersion, 4);
        return new SourceGraph(model, path);
    }

    /// <summary>Contents of constants are shared.</summary>
    public SourceGraph Clone()
    {
        var model = Model.Clone();
        model.Graph.Initializer.Add(Constants);
        return new SourceGraph(model, Path);
    }

    public TensorProto? Constant(string name) => _constants.GetValueOrDefault(name);

    /// <summary>A constant of float32 with as many dimensions, any number where that is null; else null.</summary>
    public TensorProto? FloatConstant(string name, int? rank = null) =>
        _constants.GetValueOrDefault(name) is { DataType: (int)DataType.Float } tensor && (rank ?? tensor.Dims.Count) == tensor.Dims.Count
            && StoredTensor.IsRaw(tensor) ? tensor : null;

    public float[] Floats(TensorProto tensor) => StoredTensor.Floats(tensor, Path);

    /// <returns>The constant's name, which is the one wanted, or one like it.</returns>
    public string Add<T>(string wanted, DataType type, IEnumerable<long> shape, ReadOnlySpan<T> content)
        where T : unmanaged
    {
        var name = NewName(wanted);
        _constants.Add(name, StoredTensor.Create(name, type, shape, content));
        return name;
    }

    /// <returns>The name of a constant of texts, which is the one wanted, or one like it.</returns>
    public string Add(string wanted, IReadOnlyCollection<string> texts)
    {
        TensorProto tensor = new() { Name = NewName(wanted), DataType = (int)DataType.String, Dims = { texts.Count } };
        tensor.StringData.Add(texts.Select(ByteString.CopyFromUtf8));
        _constants.Add(tensor.Name, tensor);
        return tensor.Name;
    }

    public string NewName(string wanted)
    {
        var name = wanted;
        for (var i = 2; !_names.Add(name); i++) name = $"{wanted}/{i}";
        return name;
    }

    public void SetOpset(int version) => Model.OpsetImport.First(set => IsStandard(set.Domain)).Version = version;

    public static bool HasGraphs(NodeProto node) => Inner(node).Any();

    /// <summary>Whether it is one of ONNX's own operators and has no graphs inside.</summary>
    public static bool IsPlain(NodeProto node) => IsStandard(node.Domain) && !HasGraphs(node);

    /// <summary>The names of all values that a node reads, those read by graphs inside it too.</summary>
    public static IEnumerable<string> Reads(NodeProto node) =>
        node.Input.Where(name => name.Length > 0)
            .Concat(Inner(node).SelectMany(graph => graph.Node.SelectMany(Reads).Concat(graph.Output.Select(output => output.Name))));

    /// <summary>Takes other nodes, in order of execution. What is read by none of them any more goes, and so does what the file said of values'
    /// types.</summary>
    public void Replace(IReadOnlyCollection<NodeProto> nodes)
    {
        var graph = Model.Graph;
        graph.Node.Clear();
        graph.Node.Add(nodes);
        HashSet<string> read = [.. nodes.SelectMany(Reads), .. Outputs];
        foreach (var name in _constants.Keys.Where(name => !read.Contains(name)).ToList()) _constants.Remove(name);
        graph.ValueInfo.Clear();
        ImportUsed();
    }

    /// <summary>Writes it with its constants, in a second file where there are many.</summary>
    /// <returns>The second file's name; null where there is none.</returns>
    public string? Write(string folder, string fileName, IProgress<long>? progress, CancellationToken cancellation,
        IEnumerable<string>? moreOutputs = null)
    {
        var model = Model.Clone();
        model.Graph.Initializer.Add(Constants.Where(tensor => !StoredTensor.IsRaw(tensor)));
        model.Graph.Output.Add((moreOutputs ?? []).Except(Outputs).Select(name => new ValueInfoProto { Name = name }));
        return OnnxWriter.Write(model, [.. Constants.Where(StoredTensor.IsRaw).Select(tensor => new StoredInitializer(tensor, Path))], folder,
            fileName, progress ?? new Progress<long>(), cancellation);
    }

    private static bool IsStandard(string domain) => domain is "" or "ai.onnx";

    private static IEnumerable<GraphProto> Inner(NodeProto node) =>
        node.Attribute.SelectMany(attribute => attribute.G is null ? attribute.Graphs : attribute.Graphs.Append(attribute.G));

    private static IEnumerable<string> Names(NodeProto node) =>
        node.Output.Append(node.Name).Concat(Inner(node).SelectMany(graph => graph.Node.SelectMany(Names)));

    private static IEnumerable<TensorProto> Contents(NodeProto node) =>
        node.Attribute.Select(attribute => attribute.T).OfType<TensorProto>()
            .Concat(Inner(node).SelectMany(graph => graph.Initializer.Concat(graph.Node.SelectMany(Contents))));

    /// <summary>Default values of inputs, and what nodes of the type Constant hold.</summary>
    private static void TakeConstants(GraphProto graph)
    {
        HashSet<string> outputs = [.. graph.Output.Select(output => output.Name)];
        foreach (var node in graph.Node.Where(node => node.OpType == "Constant" && IsStandard(node.Domain)).ToList())
        {
            if (node.Attribute is not [{ Name: "value", T: { } tensor }] || node.Output.Count != 1 || outputs.Contains(node.Output[0])) continue;
            tensor.Name = node.Output[0];
            graph.Initializer.Add(tensor);
            graph.Node.Remove(node);
        }

        HashSet<string> constants = [.. graph.Initializer.Select(tensor => tensor.Name)];
        foreach (var input in graph.Input.Where(input => constants.Contains(input.Name)).ToList()) graph.Input.Remove(input);
    }

    /// <summary>ONNX Runtime lists every domain that it knows in what it writes.</summary>
    private void ImportUsed()
    {
        var all = Model.Graph.Node.SelectMany(WithInner).Select(node => node.Domain).ToHashSet(StringComparer.Ordinal);
        foreach (var set in Model.OpsetImport.Where(set => !IsStandard(set.Domain) && !all.Contains(set.Domain)).ToList())
            Model.OpsetImport.Remove(set);
        if (all.Contains(OnnxGraph.Contrib) && Model.OpsetImport.All(set => set.Domain != OnnxGraph.Contrib))
            Model.OpsetImport.Add(new OperatorSetIdProto { Domain = OnnxGraph.Contrib, Version = 1 });
    }

    private static IEnumerable<NodeProto> WithInner(NodeProto node) =>
        Inner(node).SelectMany(graph => graph.Node.SelectMany(WithInner)).Prepend(node);
}
