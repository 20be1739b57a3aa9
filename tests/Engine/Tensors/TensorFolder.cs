using Google.Protobuf;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.ModelBuilder.Onnx;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Tests.Engine.Tensors;

/// <summary>A folder with a small graph that is no decoder.</summary>
internal sealed class TensorFolder : IDisposable
{
    private const int Float = 1, Byte = 2, Int8 = 3, Long = 7, Text = 8, Half = 10;

    private readonly GraphProto _graph = new() { Name = "test" };

    public string Path { get; } = Directory.CreateTempSubdirectory("r1-tensors-").FullName;

    /// <summary>y = x + 1 elementwise, [N,width], N free.</summary>
    public static TensorFolder AddOne(string batch = "N") => new TensorFolder().Input("x", Float, batch, "W").Output("y", Float, batch, "W")
        .Constant("one", [], 1).Node("Add", "x", "one", "y").Save();

    /// <summary>y = x · W, [N,64] to [N,outputs], a product whose kernel for one row has other bits.</summary>
    public static TensorFolder Product(int outputs = 40)
    {
        var random = new Random(3);
        return new TensorFolder().Input("x", Float, "N", 64).Output("y", Float, "N", outputs)
            .Constant("w", [64, outputs], [.. Enumerable.Range(0, 64 * outputs).Select(_ => random.NextSingle() - 0.5f)])
            .Node("MatMul", "x", "w", "y").Save();
    }

    /// <summary>y = x less the mean over all rows: a row's result depends on its company.</summary>
    public static TensorFolder Mixing() => new TensorFolder().Input("x", Float, "N", 4).Output("y", Float, "N", 4)
        .Indices("axis", 0).Node("ReduceMean", "x", "axis", "mean").Node("Sub", "x", "mean", "y").Save();

    /// <summary>Rows that mix so little that only the bits tell: y [N,4] of another type. Whole numbers grow by the number of rows (of INT64 2^60, where
    /// floats have no such steps); zeros of floats have the sign of the mean over all rows.</summary>
    public static TensorFolder MixingBits(TensorType type)
    {
        var onnx = type switch { TensorType.Int8 => Int8, TensorType.Int64 => Long, TensorType.Float16 => Half, _ => Float };
        var folder = new TensorFolder().Input("x", Float, "N", 4).Output("y", onnx, "N", 4).Constant("zero", [], 0).Indices("first", 0)
            .Indices("large", type == TensorType.Int64 ? 1L << 60 : 0);
        folder.Node("Abs", "x", "size").Node("Mul", "size", "zero", "zeros");
        if (type is TensorType.Float16 or TensorType.Float32)
            return folder.Node("ReduceMean", "x", "first", "mean").Node("Sign", "mean", "sign").Node("Mul", "zeros", "sign", "signed")
                .Node("Cast", "signed", "y", ("to", onnx)).Save();
        return folder.Node("Shape", "x", "shape").Node("Gather", "shape", "first", "rows").Node("Add", "rows", "large", "number")
            .Node("Cast", "zeros", "none", ("to", Long)).Node("Add", "none", "number", "sum").Node("Cast", "sum", "y", ("to", onnx)).Save();
    }

    /// <summary>A table of rows, looked up: an index beyond it is a fault of the run.</summary>
    public static TensorFolder Lookup(int rows = 10) => new TensorFolder().Input("i", Long, "N").Output("y", Float, "N", 2)
        .Constant("table", [rows, 2], [.. Enumerable.Range(0, rows * 2).Select(i => (float)i)]).Node("Gather", "table", "i", "y").Save();

    /// <summary>Texts as they came.</summary>
    public static TensorFolder Echo() => new TensorFolder().Input("t", Text, "N").Output("u", Text, "N").Node("Identity", "t", "u").Save();

    /// <summary>Inputs of several types, each its own output: x [A,2], y and z and text_input of any length.</summary>
    public static TensorFolder Several() => new TensorFolder()
        .Input("x", Float, "A", 2).Input("y", Text, "B").Input("z", Long, "C").Input("text_input", Text, "D")
        .Output("x2", Float, "A", 2).Output("y2", Text, "B").Output("z2", Long, "C").Output("text_output", Text, "D")
        .Node("Identity", "x", "x2").Node("Identity", "y", "y2").Node("Identity", "z", "z2").Node("Identity", "text_input", "text_output").Save();

    /// <summary>The batch axis fixed to 1.</summary>
    public static TensorFolder Fixed() => new TensorFolder().Input("x", Float, 1, 2).Output("y", Float, 1, 2).Node("Neg", "x", "y").Save();

    /// <summary>An encoder whose token vectors are the rows of a table, number 10 · id + place: input_ids and attention_mask to last_hidden_state
    /// [N,T,width].</summary>
    /// <param name="declared">What the graph says of the width; null for the width.</param>
    public static TensorFolder Encoder(int width = 4, string output = "last_hidden_state", object? declared = null) => new TensorFolder()
        .Input("input_ids", Long, "N", "T").Input("attention_mask", Long, "N", "T").Output(output, Float, "N", "T", declared ?? width)
        .Table(10, width).Node("Gather", "table", "input_ids", output).Save();

    /// <summary>A classifier whose scores are the means of its tokens' rows: input_ids and token_type_ids to logits [N,labels].</summary>
    /// <param name="declared">What the graph says of their number; null for the number.</param>
    public static TensorFolder Classifier(int labels, object? declared = null) => new TensorFolder()
        .Input("input_ids", Long, "N", "T").Input("token_type_ids", Long, "N", "T").Output("logits", Float, "N", declared ?? labels)
        .Table(10, labels).Node("Gather", "table", "input_ids", "rows").Indices("axis", 1).Node("ReduceMean", "rows", "axis", "mean")
        .Node("Squeeze", "mean", "axis", "logits").Save();

    /// <summary>Images [N,1,16,16], and how much they rise to the right, beside 0, which it is sure of; a second variant, named int8, sees nothing
    /// beyond -1 and 1.</summary>
    public static TensorFolder Clipped()
    {
        var folder = Scores("flat").Save();
        using var clipped = Scores("seen").Constant("low", [], -1).Constant("high", [], 1).Node("Clip", "flat", "low", "high", "seen");
        // Nodes come in the order in which they run.
        (clipped._graph.Node[^2], clipped._graph.Node[^1]) = (clipped._graph.Node[^1], clipped._graph.Node[^2]);
        clipped.Save();
        File.Move(System.IO.Path.Combine(clipped.Path, "model.onnx"), System.IO.Path.Combine(folder.Path, "clipped.onnx"));
        new ModelManifest
        {
            Format = ModelManifest.CurrentFormat, Name = "clipped", Created = DateTimeOffset.UnixEpoch, Fingerprint = "", Parameters = 0,
            Kind = ModelKind.Tensors,
            Variants = [new(Precision.Fp32, "model.onnx", null, 1), new(Precision.Int8, "clipped.onnx", null, 1)],
        }.Save(System.IO.Path.Combine(folder.Path, ModelManifest.FileName));
        return folder;

        static TensorFolder Scores(string seen) => new TensorFolder().Input("x", Float, "N", 1, 16, 16).Output("logits", Float, "N", 2)
            .Indices("shape", -1, 256).Constant("w", [256, 2], [.. Enumerable.Range(0, 512).Select(Weight)])
            .Node("Reshape", "x", "shape", "flat").Node("MatMul", seen, "w", "logits");

        static float Weight(int i) => i % 2 == 0 ? 20 * ((i / 2 % 16) - 7.5f) : 0;
    }

    /// <summary>The means of a picture's three channels: pixel_values [N,3,size,size], or with the channels last, to logits [N,3,1,1].</summary>
    /// <param name="size">Null for any.</param>
    /// <param name="batch">A name, or a fixed number.</param>
    public static TensorFolder Picture(int? size = 4, bool isLast = false, bool isUInt8 = false, bool isSoftmax = false, object? batch = null)
    {
        object[] sides = size is { } side ? [side, side] : ["H", "W"];
        object[] shape = isLast ? [batch ?? "N", .. sides, 3] : [batch ?? "N", 3, .. sides];
        var folder = new TensorFolder().Input("pixel_values", isUInt8 ? Byte : Float, shape)
            .Output("logits", Float, isLast ? [batch ?? "N", 1, 1, 3] : [batch ?? "N", 3, 1, 1]);
        folder.Indices("axes", isLast ? [1, 2] : [2, 3]);
        if (isUInt8) folder.Node("Cast", "pixel_values", "floats")._graph.Node[^1].Attribute.Add(Whole("to", Float));
        folder.Node("ReduceMean", isUInt8 ? "floats" : "pixel_values", "axes", isSoftmax ? "means" : "logits");
        if (isSoftmax) folder.Node("Softmax", "means", "logits")._graph.Node[^1].Attribute.Add(Whole("axis", 1));
        return folder.Save();
    }

    /// <summary>A score over windows: x [N,steps,width] to y [N,1], the sigmoid of a product, whose kernel for one row has other bits.</summary>
    public static TensorFolder Window(int steps, int width, int seed = 5)
    {
        var random = new Random(seed);
        return new TensorFolder().Input("x", Float, "N", steps, width).Output("y", Float, "N", 1)
            .Constant("w", [steps * width, 1], [.. Enumerable.Range(0, steps * width).Select(_ => random.NextSingle() - 0.5f)])
            .Indices("flat", 0, steps * width).Node("Reshape", "x", "flat", "row").Node("MatMul", "row", "w", "p").Node("Sigmoid", "p", "y").Save();
    }

    /// <summary>The sums of the channels, [N,width,steps] to [N,width].</summary>
    public static TensorFolder Channels(int width, int steps) => new TensorFolder()
        .Input("x", Float, "N", width, steps).Output("y", Float, "N", width).Indices("axis", 2)
        .Node("ReduceSum", "x", "axis", "sums").Node("Squeeze", "sums", "axis", "y").Save();

    /// <summary>Two convolutions over time and a mean of them, [N,width,steps] to a score [N,1].</summary>
    public static TensorFolder Convolutions(int width, int steps, int channels)
    {
        const int Kernel = 5;
        var random = new Random(5);
        float[] Random(int count, int fanIn) => [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() - 0.5f) * 2 / MathF.Sqrt(fanIn))];
        return new TensorFolder().Input("x", Float, "N", width, steps).Output("y", Float, "N", 1)
            .Constant("a", [channels, width, Kernel], Random(channels * width * Kernel, width * Kernel))
            .Constant("b", [channels, channels, Kernel], Random(channels * channels * Kernel, channels * Kernel))
            .Constant("c", [channels, 1], Random(channels, 1))
            .Node("Conv", "x", "a", "first").Node("Relu", "first", "heard").Node("Conv", "heard", "b", "second").Node("Relu", "second", "seen")
            .Node("GlobalAveragePool", "seen", "mean").Node("Flatten", "mean", "row").Node("MatMul", "row", "c", "p")
            .Node("Sigmoid", "p", "y").Save();
    }

    /// <summary>A state that halves and takes the event in, h [N,width] to hn; the score is its sum.</summary>
    public static TensorFolder Recurrent(int width, string state = "h", string next = "hn") => new TensorFolder()
        .Input("x", Float, "N", width).Input(state, Float, "N", width).Output("y", Float, "N", 1).Output(next, Float, "N", width)
        .Constant("half", [], 0.5f).Indices("axis", 1).Node("Mul", state, "half", "less").Node("Add", "less", "x", next)
        .Node("ReduceSum", next, "axis", "y").Save();

    /// <summary>Counts windows of one number, [N,steps] to [N,1], and can't be run where the first is beyond a table of four.</summary>
    public static TensorFolder Fragile(int steps) => new TensorFolder().Input("x", Float, "N", steps).Output("y", Float, "N", 1)
        .Constant("table", [4, 1], 0, 1, 2, 3).Indices("axis", 1).Indices("zero", 0).Node("Gather", "x", "zero", "first", ("axis", 1))
        .Node("Cast", "first", "index", ("to", Long)).Node("Squeeze", "index", "axis", "one").Node("Gather", "table", "one", "y").Save();

    /// <summary>Each number so many times, [N,1] to [N,width]: much of little.</summary>
    public static TensorFolder Expanded(int width) => new TensorFolder().Input("x", Float, "N", 1).Output("y", Float, "N", width)
        .Indices("shape", 1, width).Node("Expand", "x", "shape", "y").Save();

    /// <summary>A file beside the graph.</summary>
    public TensorFolder With(string name, string content)
    {
        var path = System.IO.Path.Combine(Path, name);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        File.WriteAllText(path, content);
        return this;
    }

    public ModelFolder Open() => ModelFolder.Open(Path);

    public static Tensor Floats(string name, long[] shape, params float[] values) =>
        new(name, TensorType.Float32, shape, values.SelectMany(BitConverter.GetBytes).ToArray());

    public static float[] Floats(Tensor tensor)
    {
        var values = new float[tensor.Data.Length / sizeof(float)];
        Buffer.BlockCopy(tensor.Data.ToArray(), 0, values, 0, tensor.Data.Length);
        return values;
    }

    public static Tensor Longs(string name, params long[] values) =>
        new(name, TensorType.Int64, [values.Length], values.SelectMany(BitConverter.GetBytes).ToArray());

    public void Dispose() => Directory.Delete(Path, recursive: true);

    private static ByteString Bytes<T>(T[] values, Func<T, byte[]> bytes) => ByteString.CopyFrom([.. values.SelectMany(bytes)]);

    private static ValueInfoProto Value(string name, int type, object[] shape)
    {
        TypeProto.Types.Tensor tensor = new() { ElemType = type, Shape = new TensorShapeProto() };
        foreach (var dimension in shape)
        {
            tensor.Shape.Dim.Add(dimension is string symbol ? new TensorShapeProto.Types.Dimension { DimParam = symbol }
                : new TensorShapeProto.Types.Dimension { DimValue = (int)dimension });
        }

        return new ValueInfoProto { Name = name, Type = new TypeProto { TensorType = tensor } };
    }

    private static AttributeProto Whole(string name, long value) => new() { Name = name, Type = AttributeProto.Types.AttributeType.Int, I = value };

    private TensorFolder Input(string name, int type, params object[] shape)
    {
        _graph.Input.Add(Value(name, type, shape));
        return this;
    }

    private TensorFolder Output(string name, int type, params object[] shape)
    {
        _graph.Output.Add(Value(name, type, shape));
        return this;
    }

    private TensorFolder Constant(string name, long[] shape, params float[] values)
    {
        _graph.Initializer.Add(new TensorProto { Name = name, DataType = Float, Dims = { shape }, RawData = Bytes(values, BitConverter.GetBytes) });
        return this;
    }

    private TensorFolder Table(int rows, int width) =>
        Constant("table", [rows, width], [.. Enumerable.Range(0, rows * width).Select(i => (10f * (i / width)) + (i % width))]);

    private TensorFolder Indices(string name, params long[] values)
    {
        var bytes = Bytes(values, BitConverter.GetBytes);
        _graph.Initializer.Add(new TensorProto { Name = name, DataType = Long, Dims = { values.Length }, RawData = bytes });
        return this;
    }

    /// <summary>The last name is the output's.</summary>
    private TensorFolder Node(string type, params string[] names)
    {
        _graph.Node.Add(new NodeProto { OpType = type, Input = { names[..^1] }, Output = { names[^1] } });
        return this;
    }

    private TensorFolder Node(string type, string input, string output, (string Name, int Value) attribute) =>
        Node(type, [input, output], attribute);

    private TensorFolder Node(string type, string input, string other, string output, (string Name, int Value) attribute) =>
        Node(type, [input, other, output], attribute);

    private TensorFolder Node(string type, string[] names, (string Name, int Value) attribute)
    {
        Node(type, names);
        var kind = AttributeProto.Types.AttributeType.Int;
        _graph.Node[^1].Attribute.Add(new AttributeProto { Name = attribute.Name, I = attribute.Value, Type = kind });
        return this;
    }

    private TensorFolder Save()
    {
        ModelProto model = new() { IrVersion = 8, Graph = _graph, OpsetImport = { new OperatorSetIdProto { Version = 18 } } };
        File.WriteAllBytes(System.IO.Path.Combine(Path, "model.onnx"), model.ToByteArray());
        return this;
    }
}
