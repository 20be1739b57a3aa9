using R1Serverless.Abstractions;

namespace R1Serverless.Models.Layouts;

/// <summary>A node of a graph.</summary>
/// <param name="Bits">The attribute of that name, of products with packed weights; null where there is none.</param>
public sealed record OnnxNode(string Type, string Domain, IReadOnlyList<string> Inputs, IReadOnlyList<string> Outputs, int? Bits);

/// <summary>An input or output of a graph.</summary>
/// <param name="ElementType">TensorProto.DataType; null where it is no tensor but a sequence, a map or the like.</param>
/// <param name="Dimensions">Each a size, or a name (empty where it has none) for a size that a request chooses; null where not even their number is
/// known.</param>
public sealed record OnnxValue(string Name, int? ElementType, IReadOnlyList<OnnxDimension>? Dimensions);

/// <param name="Size">Null where a request chooses it.</param>
/// <param name="Symbol">Dimensions of one name have one size.</param>
public readonly record struct OnnxDimension(long? Size, string Symbol);

/// <summary>
/// What an ONNX file says of itself without its weights. Read by hand, as weights may lie in the file itself, up to 2 GiB of them: generated classes
/// would read them all, and this steps over them in milliseconds. Field numbers are the ONNX standard's.
/// </summary>
internal sealed class OnnxFile
{
    private const int Float16 = 10, BFloat16 = 16;

    private readonly List<OnnxNode> _nodes = [];
    private readonly HashSet<string> _constants = new(StringComparer.Ordinal), _dataFiles = new(StringComparer.Ordinal);
    private readonly List<OnnxValue> _inputs = [], _outputs = [];
    private long _elements, _halfElements;

    private OnnxFile()
    {
    }

    public IReadOnlyList<OnnxNode> Nodes => _nodes;

    /// <summary>Without those that have a constant as their default, in the graph's order.</summary>
    public IEnumerable<OnnxValue> Inputs => _inputs.Where(input => !_constants.Contains(input.Name));

    public IReadOnlyList<OnnxValue> Outputs => _outputs;

    /// <summary>The files that hold weights, relative to the graph's own.</summary>
    public IReadOnlyCollection<string> DataFiles => _dataFiles;

    /// <summary>The number format of the weights, by what the products are: packed in 4 or 8 bits, of integers, else by the constants'
    /// type.</summary>
    public Precision Precision => true switch
    {
        _ when _nodes.Exists(n => n.Type is "MatMulBnb4" || (n.Type == "MatMulNBits" && n.Bits is null or < 8)) => Precision.Int4,
        _ when _nodes.Exists(
            n => n.Type is "MatMulNBits" or "MatMulInteger" or "MatMulIntegerToFloat" or "DynamicQuantizeMatMul" or "QLinearMatMul" or "QGemm") =>
            Precision.Int8,
        _ when _halfElements * 2 > _elements => Precision.Fp16,
        _ => Precision.Fp32,
    };

    /// <exception cref="InvalidModelException">The file is missing or no ONNX graph.</exception>
    public static OnnxFile Read(string path)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            var pointer = "version https://git-lfs"u8;
            Span<byte> start = stackalloc byte[pointer.Length];
            if (stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false) == start.Length && start.SequenceEqual(pointer))
                throw new InvalidModelException($"{path} is only a Git LFS pointer: fetch the file itself with `git lfs pull`.");
            stream.Position = 0;
            var file = new OnnxFile();
            file.ReadModel(new ProtobufReader(stream, path), stream.Length);
            return file;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InvalidModelException($"{path} does not exist.", e);
        }
    }

    private void ReadModel(ProtobufReader reader, long end)
    {
        var found = false;
        while (reader.Next(end) is > 0 and var field)
        {
            if (field == 7) ReadGraph(reader, reader.Enter());
            else reader.Skip();
            found |= field == 7;
        }

        if (!found) throw reader.Damaged();
    }

    private void ReadGraph(ProtobufReader reader, long end)
    {
        while (reader.Next(end) is > 0 and var field)
        {
            if (field == 1) _nodes.Add(ReadNode(reader, reader.Enter()));
            else if (field == 5) ReadConstant(reader, reader.Enter());
            else if (field == 11) _inputs.Add(OnnxValues.Read(reader, reader.Enter()));
            else if (field == 12) _outputs.Add(OnnxValues.Read(reader, reader.Enter()));
            else reader.Skip();
        }
    }

    private static OnnxNode ReadNode(ProtobufReader reader, long end)
    {
        var (type, domain, bits) = ("", "", (int?)null);
        List<string> inputs = [], outputs = [];
        while (reader.Next(end) is > 0 and var field)
        {
            if (field == 1) inputs.Add(reader.Text());
            else if (field == 2) outputs.Add(reader.Text());
            else if (field == 4) type = reader.Text();
            else if (field == 7) domain = reader.Text();
            else if (field == 5) bits = ReadBits(reader, reader.Enter()) ?? bits;
            else reader.Skip();
        }

        return new OnnxNode(type, domain, inputs, outputs, bits);
    }

    private static int? ReadBits(ProtobufReader reader, long end)
    {
        var (name, value) = ("", 0L);
        while (reader.Next(end) is > 0 and var field)
        {
            if (field == 1) name = reader.Text();
            else if (field == 3) value = reader.Integer();
            else reader.Skip();
        }

        return name == "bits" ? (int)value : null;
    }

    private void ReadConstant(ProtobufReader reader, long end)
    {
        var (elements, type) = (1L, 0L);
        while (reader.Next(end) is > 0 and var field)
        {
            if (field == 8) _constants.Add(reader.Text());
            else if (field == 1) elements = reader.Integers().Aggregate(elements, (product, size) => product * size);
            else if (field == 2) type = reader.Integer();
            else if (field == 13) ReadLocation(reader, reader.Enter());
            else reader.Skip();
        }

        _elements += elements;
        if (type is Float16 or BFloat16) _halfElements += elements;
    }

    private void ReadLocation(ProtobufReader reader, long end)
    {
        var (key, value) = ("", "");
        while (reader.Next(end) is > 0 and var field)
        {
            if (field == 1) key = reader.Text();
            else if (field == 2) value = reader.Text();
            else reader.Skip();
        }

        if (key == "location") _dataFiles.Add(value);
    }
}
