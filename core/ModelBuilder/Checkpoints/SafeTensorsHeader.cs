using System.Buffers.Binary;
using System.Text.Json;
using R1Serverless.Models;

namespace R1Serverless.ModelBuilder.Checkpoints;

/// <summary>One tensor of a safetensors file; <paramref name="Offset"/> counts bytes from the file's begin.</summary>
internal sealed record SafeTensor(string Name, SafeTensorType Type, IReadOnlyList<long> Shape, long Offset, long Bytes)
{
    public long Elements => Shape.Aggregate(1L, (product, size) => product * size);
}

/// <summary>The header of a safetensors file: 8 bytes with its length (little-endian), then JSON from names to type, shape and data
/// offsets.</summary>
internal static class SafeTensorsHeader
{
    private const long MaxHeader = 100_000_000;

    /// <summary>Reads and checks a header: every tensor inside the file, as many bytes as type and shape say, none overlapping another.</summary>
    /// <exception cref="InvalidModelException">The header is damaged, or a tensor's type is not supported.</exception>
    public static Dictionary<string, SafeTensor> Read(string path, Stream stream)
    {
        Span<byte> prefix = stackalloc byte[8];
        if (stream.Length < 8)
            throw new InvalidModelException($"{path} is no safetensors file: it has only {stream.Length} bytes.");

        stream.ReadExactly(prefix);
        var length = BinaryPrimitives.ReadInt64LittleEndian(prefix);
        if (length is < 2 or > MaxHeader || length > stream.Length - 8)
            throw new InvalidModelException(
                $"{path} is no safetensors file or is cut off: its header claims {length} bytes, the file has {stream.Length}.");

        var text = new byte[length];
        stream.ReadExactly(text);
        try
        {
            using var document = JsonDocument.Parse(text);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new InvalidModelException($"{path}: the safetensors header is not a JSON object.");

            var tensors = document.RootElement.EnumerateObject().Where(entry => entry.Name != "__metadata__")
                .Select(entry => ReadTensor(path, entry.Name, entry.Value, 8 + length, stream.Length)).ToList();
            CheckOverlap(path, tensors);
            return tensors.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            throw new InvalidModelException($"{path}: the safetensors header is damaged: {e.Message}", e);
        }
    }

    private static SafeTensor ReadTensor(string path, string name, JsonElement entry, long dataStart, long fileLength)
    {
        InvalidModelException Invalid(string problem) => new($"{path}: tensor {name} {problem}.");
        if (entry.ValueKind != JsonValueKind.Object || !entry.TryGetProperty("dtype", out var type) || type.ValueKind != JsonValueKind.String
            || !entry.TryGetProperty("shape", out var shape) || !entry.TryGetProperty("data_offsets", out var offsets)
            || !TryLongs(shape, out var sizes) || !TryLongs(offsets, out var range) || range.Length != 2)
        {
            throw Invalid("needs dtype, shape and data_offsets");
        }

        var kind = SafeTensorTypes.Find(type.GetString()!) ?? throw Invalid($"has the type {type.GetString()}, which is not known");
        UInt128 expected = (uint)kind.Bytes();
        foreach (var size in sizes)
            expected = size >= 0 && expected < (UInt128)1 << 60 ? expected * (UInt128)size : throw Invalid("has an impossible shape");

        if (range[0] < 0 || range[1] < range[0] || range[1] > fileLength - dataStart)
            throw Invalid(
                $"lies at bytes {range[0]} to {range[1]} of a file with {fileLength - dataStart} bytes of data; the file is cut off or damaged");

        return (UInt128)(range[1] - range[0]) == expected
            ? new SafeTensor(name, kind, sizes, dataStart + range[0], range[1] - range[0])
            : throw Invalid($"of shape [{string.Join(", ", sizes)}] needs {expected} bytes, but has {range[1] - range[0]}");
    }

    private static void CheckOverlap(string path, List<SafeTensor> tensors)
    {
        var ordered = tensors.Where(tensor => tensor.Bytes > 0).OrderBy(tensor => tensor.Offset).ToList();
        for (var i = 1; i < ordered.Count; i++)
        {
            if (ordered[i - 1].Offset + ordered[i - 1].Bytes > ordered[i].Offset)
                throw new InvalidModelException($"{path}: the data of tensors {ordered[i - 1].Name} and {ordered[i].Name} overlap.");
        }
    }

    private static bool TryLongs(JsonElement array, out long[] numbers)
    {
        numbers = [];
        if (array.ValueKind != JsonValueKind.Array)
            return false;

        numbers = new long[array.GetArrayLength()];
        for (var i = 0; i < numbers.Length; i++)
        {
            if (array[i].ValueKind != JsonValueKind.Number || !array[i].TryGetInt64(out numbers[i]))
                return false;
        }

        return true;
    }
}
