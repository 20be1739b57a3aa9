using System.Globalization;
using System.Runtime.InteropServices;
using Google.Protobuf;
using R1Serverless.ModelBuilder.Graphs;
using R1Serverless.ModelBuilder.Onnx;
using R1Serverless.Models;
using static R1Serverless.ModelBuilder.Onnx.TensorProto.Types;

namespace R1Serverless.ModelBuilder.Tensors;

/// <summary>The content of a constant: in the graph's file, or in one beside it.</summary>
internal static class StoredTensor
{
    private const string Location = "location", Offset = "offset", Length = "length";

    public static bool IsExternal(TensorProto tensor) => tensor.DataLocation == DataLocation.External;

    public static bool IsFloatingPoint(TensorProto tensor) => tensor.DataType is (int)DataType.Float or (int)DataType.Float16 or (int)DataType.Double;

    /// <summary>The file beside the graph that an external content is in.</summary>
    public static string FileOf(TensorProto tensor, string path) => Place(tensor, path).File;

    /// <summary>The product of the dimensions.</summary>
    public static long Elements(TensorProto tensor) => tensor.Dims.Aggregate(1L, (product, size) => product * size);

    public static long Bytes(TensorProto tensor, string file) => ((Elements(tensor) * GraphWeights.Bits(tensor.DataType, file)) + 7) / 8;

    /// <summary>Whether the content is raw bytes, wherever they are; else it is in lists of numbers or texts, which stay as they are.</summary>
    public static bool IsRaw(TensorProto tensor) => IsExternal(tensor) || tensor.RawData.Length > 0;

    /// <summary>A constant with a content of this builder's.</summary>
    public static TensorProto Create<T>(string name, DataType type, IEnumerable<long> shape, ReadOnlySpan<T> content)
        where T : unmanaged
    {
        var tensor = new TensorProto { Name = name, DataType = (int)type, RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes(content)) };
        tensor.Dims.Add(shape);
        return tensor;
    }

    /// <summary>Refuses what later could not be read: sizes that don't fit, files that lie elsewhere or end too early. Lists of float32 become raw
    /// bytes.</summary>
    /// <param name="tensor">A constant.</param>
    /// <param name="path">The graph's file.</param>
    /// <exception cref="InvalidModelException">Names the tensor and what is wrong.</exception>
    public static void Check(TensorProto tensor, string path)
    {
        var elements = 1L;
        foreach (var size in tensor.Dims)
        {
            if (size < 0 || (size > 0 && elements > int.MaxValue * 64L / size))
                throw new InvalidModelException($"{path}: the tensor {tensor.Name} has the shape [{string.Join(", ", tensor.Dims)}].");
            elements *= size;
        }

        if (tensor.DataType == (int)DataType.Float && tensor.FloatData.Count > 0)
        {
            if (tensor.FloatData.Count != elements)
                throw new InvalidModelException($"{path}: the tensor {tensor.Name} has {tensor.FloatData.Count} numbers, its shape {elements}.");
            tensor.RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes<float>(tensor.FloatData.ToArray()));
            tensor.FloatData.Clear();
        }

        if (!IsRaw(tensor)) return;
        var (expected, found) = (Bytes(tensor, path), IsExternal(tensor) ? Place(tensor, path).Length : tensor.RawData.Length);
        if (expected != found) throw new InvalidModelException($"{path}: the tensor {tensor.Name} has {found} bytes, its shape and type {expected}.");
    }

    /// <summary>A raw content, copied to a stream.</summary>
    public static void CopyTo(TensorProto tensor, string path, Stream target)
    {
        if (!IsExternal(tensor))
        {
            tensor.RawData.WriteTo(target);
            return;
        }

        var (file, offset, length) = Place(tensor, path);
        using var source = File.OpenRead(file);
        source.Position = offset;
        var buffer = new byte[(int)Math.Clamp(length, 1, 1 << 20)];
        for (var left = length; left > 0;)
        {
            var read = source.Read(buffer, 0, (int)Math.Min(left, buffer.Length));
            if (read == 0) throw new InvalidModelException($"{file} ends inside the tensor {tensor.Name}.");
            target.Write(buffer, 0, read);
            left -= read;
        }
    }

    /// <summary>The numbers of a float32 constant.</summary>
    /// <exception cref="InvalidModelException">There are more than fit into memory as one array.</exception>
    public static float[] Floats(TensorProto tensor, string path)
    {
        if (Elements(tensor) > Array.MaxLength / sizeof(float))
            throw new InvalidModelException($"{path}: the tensor {tensor.Name} is too large to be rewritten: {Elements(tensor)} elements.");
        var values = new float[Elements(tensor)];
        if (!IsExternal(tensor))
        {
            tensor.RawData.Span.CopyTo(MemoryMarshal.AsBytes(values.AsSpan()));
            return values;
        }

        var (file, offset, _) = Place(tensor, path);
        using var source = File.OpenRead(file);
        source.Position = offset;
        source.ReadExactly(MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }

    private static (string File, long Offset, long Length) Place(TensorProto tensor, string path)
    {
        string? Value(string key) => tensor.ExternalData.FirstOrDefault(entry => entry.Key == key)?.Value;
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var location = Value(Location) ?? "";
        var file = Path.GetFullPath(Path.Combine(folder, location));
        if (location.Length == 0 || Path.IsPathRooted(location) || Path.GetRelativePath(folder, file).Split('/', '\\')[0] == "..")
            throw new InvalidModelException($"{path}: the tensor {tensor.Name} is kept in '{location}', which is not in the graph's folder.");
        if (!File.Exists(file)) throw new InvalidModelException($"{path}: the tensor {tensor.Name} is kept in {location}, which does not exist.");
        var size = new FileInfo(file).Length;
        if (!TryNumber(Value(Offset), 0, out var offset) || offset > size
            || !TryNumber(Value(Length), size - offset, out var length) || length > size - offset)
            throw new InvalidModelException($"{path}: the tensor {tensor.Name} reaches beyond the end of {location}.");
        return (file, offset, length);
    }

    private static bool TryNumber(string? text, long otherwise, out long number)
    {
        number = otherwise;
        return text is null || (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number >= 0);
    }
}

/// <summary>A raw constant on its way from one file to another.</summary>
internal sealed class StoredInitializer(TensorProto tensor, string path)
    : Initializer(tensor.Name, (DataType)tensor.DataType, StoredTensor.Bytes(tensor, path), [.. tensor.Dims])
{
    public override void Write(Stream stream) => StoredTensor.CopyTo(tensor, path, stream);
}
