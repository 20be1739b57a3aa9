using Google.Protobuf;
using R1Serverless.ModelBuilder.Onnx;
using R1Serverless.ModelBuilder.Tensors;
using R1Serverless.Models;
using DataLocation = R1Serverless.ModelBuilder.Onnx.TensorProto.Types.DataLocation;
using DataType = R1Serverless.ModelBuilder.Onnx.TensorProto.Types.DataType;

namespace R1Serverless.Tests.ModelBuilder.Tensors;

/// <summary>Reading ONNX files of any origin.</summary>
public sealed class SourceGraphTests
{
    [Theory]
    [InlineData("")]
    [InlineData("this is no protobuf")]
    public void What_is_no_onnx_file_is_refused_by_name(string content)
    {
        using var file = Product();
        File.WriteAllText(file.Path, content);
        Refused(file, "source.onnx");
    }

    [Fact]
    public void A_missing_file_is_refused() => Assert.Throws<InvalidModelException>(() => SourceGraph.Read("/nowhere/model.onnx"));

    [Fact]
    public void Sizes_that_do_not_fit_are_refused_by_the_tensors_name()
    {
        using var file = Product();
        file.Change(model => model.Graph.Initializer[0].Dims[0]++);
        Refused(file, "tensor w ");
        file.Change(model => model.Graph.Initializer[0].Dims[0] = -1);
        Refused(file, "tensor w ");
        file.Change(model => model.Graph.Initializer[0].Dims[0] = long.MaxValue);
        Refused(file, "tensor w ");
    }

    [Theory]
    [InlineData("../weights.bin", 0, 1024)]
    [InlineData("/etc/hostname", 0, 1024)]
    [InlineData("absent.bin", 0, 1024)]
    [InlineData("weights.bin", 8, 1024)]
    [InlineData("weights.bin", -1, 1024)]
    [InlineData("weights.bin", 2048, 1024)]
    [InlineData("weights.bin", 0, 1000)]
    public void External_weights_outside_the_folder_or_the_file_are_refused(string location, long offset, long length)
    {
        using var file = Product();
        File.WriteAllBytes(Path.Combine(file.Folder, "weights.bin"), new byte[1024]);
        MoveOut(file, location, offset, length);
        Refused(file, "tensor w ");
    }

    [Fact]
    public void External_weights_are_the_same_weights()
    {
        using var file = Product();
        var input = GraphFile.Input(1, 3, 16);
        using TensorRunner inside = new(file.Path);
        var expected = inside.Run([input]);
        var raw = GraphFile.Read(file.Path).Graph.Initializer[0].RawData.ToByteArray();
        File.WriteAllBytes(Path.Combine(file.Folder, "weights.bin"), [.. new byte[64], .. raw]);
        MoveOut(file, "weights.bin", 64, raw.Length);
        TensorModelBuilder.Build(file.Path, file.Target, "model", TimeProvider.System, new TensorBuildOptions());
        using TensorRunner built = new(Path.Combine(file.Target, "model.onnx"));
        Assert.Equal(expected, built.Run([input]));
    }

    [Fact]
    public void Default_inputs_and_nodes_of_constants_become_constants()
    {
        using var file = Product();
        file.Change(model =>
        {
            model.IrVersion = 3;
            model.Graph.Input.Add(new ValueInfoProto { Name = "w", Type = model.Graph.Input[0].Type.Clone() });
            var two = new TensorProto { DataType = (int)DataType.Float, FloatData = { 2 } };
            var constant = new NodeProto { OpType = "Constant", Output = { "two" } };
            constant.Attribute.Add(new AttributeProto { Name = "value", T = two, Type = AttributeProto.Types.AttributeType.Tensor });
            model.Graph.Node[0].Output[0] = "half";
            model.Graph.Node.Insert(0, constant);
            model.Graph.Node.Add(new NodeProto { OpType = "Mul", Input = { "half", "two" }, Output = { "y" } });
        });
        var graph = SourceGraph.Read(file.Path);
        Assert.Equal(["x"], graph.Model.Graph.Input.Select(input => input.Name));
        Assert.Equal(["MatMul", "Mul"], graph.Nodes.Select(node => node.OpType));
        Assert.Equal([2], graph.Floats(graph.FloatConstant("two")!));
    }

    private static GraphFile Product()
    {
        GraphFile file = new("n", 16);
        return file.Write(file.Graph.Node("MatMul", "y", ["x", file.Weights("w", 1, 16, 16)]), "n", 16);
    }

    private static void MoveOut(GraphFile file, string location, long offset, long length) => file.Change(model =>
    {
        var tensor = model.Graph.Initializer[0];
        tensor.RawData = ByteString.Empty;
        tensor.DataLocation = DataLocation.External;
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = location });
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "offset", Value = $"{offset}" });
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "length", Value = $"{length}" });
    });

    private static void Refused(GraphFile file, string part) =>
        Assert.Contains(part, Assert.Throws<InvalidModelException>(() => SourceGraph.Read(file.Path)).Message, StringComparison.Ordinal);
}
