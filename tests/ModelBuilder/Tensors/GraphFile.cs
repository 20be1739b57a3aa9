using System.Runtime.InteropServices;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.ModelBuilder.Graphs;
using R1Serverless.ModelBuilder.Onnx;
using DataType = R1Serverless.ModelBuilder.Onnx.TensorProto.Types.DataType;
using Tensor = R1Serverless.Abstractions.Tensors.Tensor;

namespace R1Serverless.Tests.ModelBuilder.Tensors;

/// <summary>A small graph over x, in a folder of its own, with weights from a generator.</summary>
internal sealed class GraphFile : IDisposable
{
    private readonly OnnxGraph _graph = new("test");
    private readonly Random _random = new(7);
    private readonly string _folder = Directory.CreateTempSubdirectory("r1-tensors-").FullName;

    /// <param name="shape">Of the input x: numbers and names.</param>
    public GraphFile(params object[] shape) => _graph.Input("x", DataType.Float, shape);

    public OnnxGraph Graph => _graph;

    public string Folder => _folder;

    public string Path => System.IO.Path.Combine(_folder, "source.onnx");

    public string Target => System.IO.Path.Combine(_folder, "built");

    /// <summary>A constant with numbers from -scale to scale.</summary>
    public string Weights(string name, float scale, params long[] shape) =>
        Values(name, [.. Enumerable.Range(0, (int)Tensor.Elements(shape)!).Select(_ => ((_random.NextSingle() * 2) - 1) * scale)], shape);

    public string Values(string name, float[] values, params long[] shape) =>
        _graph.Constant(new ComputedInitializer<float>(name, DataType.Float, values, shape));

    /// <summary>Writes it, with this value as its output.</summary>
    public GraphFile Write(string output, params object[] shape)
    {
        _graph.Output(output, DataType.Float, shape);
        OnnxWriter.Write(_graph, _folder, "source.onnx", "test", new Progress<long>(), CancellationToken.None);
        return this;
    }

    /// <summary>Changes what was written.</summary>
    public void Change(Action<ModelProto> change)
    {
        var model = ModelProto.Parser.ParseFrom(File.ReadAllBytes(Path));
        change(model);
        File.WriteAllBytes(Path, Google.Protobuf.MessageExtensions.ToByteArray(model));
    }

    /// <summary>An input x.</summary>
    public static Tensor Input(int seed, params long[] shape)
    {
        Random random = new(seed);
        var numbers = Enumerable.Range(0, (int)Tensor.Elements(shape)!).Select(_ => (random.NextSingle() * 2) - 1).ToArray();
        return new Tensor("x", TensorType.Float32, shape, MemoryMarshal.AsBytes<float>(numbers).ToArray());
    }

    /// <summary>One row of an input.</summary>
    public static Tensor Row(Tensor input, int row)
    {
        var bytes = input.Data.Length / (int)input.Shape[0];
        return input with { Shape = [1, .. input.Shape.Skip(1)], Data = input.Data.Slice(row * bytes, bytes) };
    }

    public static ModelProto Read(string path) => ModelProto.Parser.ParseFrom(File.ReadAllBytes(path));

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
