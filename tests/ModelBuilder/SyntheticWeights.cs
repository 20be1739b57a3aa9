using System.Runtime.InteropServices;
using System.Text.Json;
using R1Serverless.ModelBuilder.Checkpoints;

namespace R1Serverless.Tests.ModelBuilder;

/// <summary>Random weights as safetensors: N(0, 0.02), norms 1.</summary>
internal static class SyntheticWeights
{
    private const double Deviation = 0.02;
    private const long ShardBytes = 2_000_000_000;

    /// <summary>A power of two, so that bits of a random number choose among them.</summary>
    private const int DrawnNumbers = 1 << 16;

    /// <summary>One file, or for <paramref name="shards"/> bfloat16 in as many as needed, with their index.</summary>
    public static void Write(string folder, IReadOnlyList<(string Name, int[] Shape)> tensors, bool shards, int seed)
    {
        var random = new Random(seed);
        if (!shards)
        {
            using var single = File.Create(Path.Combine(folder, Checkpoint.WeightsFile));
            WriteFile(single, tensors, "F32", sizeof(float), values => FillNormal(values, random));
            return;
        }

        var drawn = new float[DrawnNumbers];
        FillNormal(MemoryMarshal.AsBytes(drawn.AsSpan()), random);
        var table = drawn.Select(ToBFloat16).ToArray();
        var parts = Split(tensors);
        string FileOf(int part) => $"model-{part + 1:00000}-of-{parts.Count:00000}.safetensors";
        for (var i = 0; i < parts.Count; i++)
        {
            using var shard = File.Create(Path.Combine(folder, FileOf(i)));
            WriteFile(shard, parts[i], "BF16", sizeof(ushort), values => Draw(MemoryMarshal.Cast<byte, ushort>(values), table, random));
        }

        using var index = File.Create(Path.Combine(folder, Checkpoint.IndexFile));
        using var json = new Utf8JsonWriter(index);
        json.WriteStartObject();
        json.WriteStartObject("weight_map");
        for (var i = 0; i < parts.Count; i++)
        {
            foreach (var (name, _) in parts[i]) json.WriteString(name, FileOf(i));
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static List<List<(string Name, int[] Shape)>> Split(IReadOnlyList<(string Name, int[] Shape)> tensors)
    {
        List<List<(string, int[])>> parts = [[]];
        var bytes = 0L;
        foreach (var tensor in tensors)
        {
            bytes += sizeof(ushort) * Elements(tensor.Shape);
            if (bytes > ShardBytes)
            {
                parts.Add([]);
                bytes = sizeof(ushort) * Elements(tensor.Shape);
            }

            parts[^1].Add(tensor);
        }

        return parts;
    }

    private static void WriteFile(Stream stream, IReadOnlyList<(string Name, int[] Shape)> tensors, string type, int elementBytes, Fill fill)
    {
        using var header = new MemoryStream();
        using (var json = new Utf8JsonWriter(header))
        {
            var offset = 0L;
            json.WriteStartObject();
            foreach (var (name, shape) in tensors)
            {
                var end = offset + (elementBytes * Elements(shape));
                json.WriteStartObject(name);
                json.WriteString("dtype", type);
                WriteNumbers(json, "shape", shape.Select(size => (long)size));
                WriteNumbers(json, "data_offsets", [offset, end]);
                json.WriteEndObject();
                offset = end;
            }

            json.WriteEndObject();
        }

        stream.Write(BitConverter.GetBytes(header.Length));
        header.WriteTo(stream);
        foreach (var (name, shape) in tensors)
        {
            var values = new byte[elementBytes * Elements(shape)];
            if (!name.EndsWith("norm.weight", StringComparison.Ordinal)) fill(values);
            else if (elementBytes == sizeof(float)) MemoryMarshal.Cast<byte, float>(values.AsSpan()).Fill(1);
            else MemoryMarshal.Cast<byte, ushort>(values.AsSpan()).Fill(ToBFloat16(1));
            stream.Write(values);
        }
    }

    private static void WriteNumbers(Utf8JsonWriter json, string name, IEnumerable<long> numbers)
    {
        json.WriteStartArray(name);
        foreach (var number in numbers) json.WriteNumberValue(number);
        json.WriteEndArray();
    }

    private static long Elements(int[] shape) => shape.Aggregate(1L, (product, size) => product * size);

    private static ushort ToBFloat16(float value) => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16);

    /// <summary>Sixteen random bits choose a number from the table: faster than making billions.</summary>
    private static void Draw(Span<ushort> values, ushort[] table, Random random)
    {
        random.NextBytes(MemoryMarshal.AsBytes(values));
        for (var i = 0; i < values.Length; i++) values[i] = table[values[i]];
    }

    /// <summary>Box and Muller: two normal numbers from two uniform ones.</summary>
    private static void FillNormal(Span<byte> bytes, Random random)
    {
        var values = MemoryMarshal.Cast<byte, float>(bytes);
        for (var i = 0; i < values.Length; i += 2)
        {
            var radius = Deviation * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
            var (sine, cosine) = Math.SinCos(2 * Math.PI * random.NextDouble());
            values[i] = (float)(radius * cosine);
            if (i + 1 < values.Length) values[i + 1] = (float)(radius * sine);
        }
    }

    private delegate void Fill(Span<byte> values);
}
