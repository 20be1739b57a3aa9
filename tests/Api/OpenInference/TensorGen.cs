using System.Text;
using CsCheck;
using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Tests.Api.OpenInference;

/// <summary>Tensors of every type, rank 0 to 4, empty ones included.</summary>
internal static class TensorGen
{
    private const string Letters = "ab\"\\\n\u0001é漢😀NaN, Infinity";

    public static Gen<Tensor> Any { get; } =
        from type in Gen.Enum<TensorType>()
        from shape in Gen.Long[0, 4].Array[0, 4]
        from seed in Gen.Int
        select Random(type, shape, seed);

    public static Tensor Random(TensorType type, long[] shape, int seed, string name = "x")
    {
        Random random = new(seed);
        var count = (int)Tensor.Elements(shape)!.Value;
        if (type == TensorType.Bytes) return new Tensor(name, type, shape, Texts([.. Enumerable.Range(0, count).Select(_ => Text(random))]));
        var data = new byte[count * TensorTypes.Size(type)];
        random.NextBytes(data);
        // A third of the elements at the ends of what there is: zeros of both signs, infinities, NaN, the smallest and the largest.
        var size = TensorTypes.Size(type);
        for (var i = 0; i < count; i += 3) data.AsSpan(i * size, size).Fill(random.Next(3) switch { 0 => 0, 1 => 0xFF, _ => 0x80 });
        for (var i = 0; i < count; i += 5) Infinity(type, data.AsSpan(i * size, size));
        if (type == TensorType.Bool) foreach (ref var one in data.AsSpan()) one &= 1;
        return new Tensor(name, type, shape, data);
    }

    public static byte[] Texts(params string[] texts) =>
        [.. texts.SelectMany(text => BitConverter.GetBytes(Encoding.UTF8.GetByteCount(text)).Concat(Encoding.UTF8.GetBytes(text)))];

    /// <summary>Equal bit for bit, but for NaN: JSON has one.</summary>
    public static void AssertSame(Tensor expected, Tensor actual) => Assert.Null(Difference(expected, actual, isJson: true));

    /// <summary>Where two tensors differ, in words; null where every bit is equal.</summary>
    /// <param name="isJson">Whether any NaN is as good as another: JSON has one.</param>
    public static string? Difference(Tensor expected, Tensor actual, bool isJson)
    {
        if ((expected.Name, expected.Type) != (actual.Name, actual.Type) || !expected.Shape.SequenceEqual(actual.Shape)
            || expected.Data.Length != actual.Data.Length)
            return $"{Describe(expected)} came as {Describe(actual)}";
        var size = Math.Max(1, TensorTypes.Size(expected.Type));
        for (var at = 0; at < expected.Data.Length; at += size)
        {
            ReadOnlySpan<byte> one = expected.Data.Span[at..], other = actual.Data.Span[at..];
            if (!one[..size].SequenceEqual(other[..size]) && !(isJson && IsNaN(expected.Type, one) && IsNaN(expected.Type, other)))
                return $"{Describe(expected)}: element {at / size} is {Convert.ToHexString(other[..size])}, not {Convert.ToHexString(one[..size])}";
        }

        return null;

        static string Describe(Tensor tensor) =>
            $"'{tensor.Name}' {TensorTypes.Name(tensor.Type)} [{string.Join(',', tensor.Shape)}] of {tensor.Data.Length} bytes";
    }

    private static bool IsNaN(TensorType type, ReadOnlySpan<byte> at) => type switch
    {
        TensorType.Float16 => Half.IsNaN(BitConverter.ToHalf(at)),
        TensorType.Float32 => float.IsNaN(BitConverter.ToSingle(at)),
        TensorType.Float64 => double.IsNaN(BitConverter.ToDouble(at)),
        TensorType.BFloat16 => float.IsNaN(BitConverter.UInt32BitsToSingle((uint)BitConverter.ToUInt16(at) << 16)),
        _ => false,
    };

    private static void Infinity(TensorType type, Span<byte> at)
    {
        if (type == TensorType.Float16) BitConverter.TryWriteBytes(at, Half.NegativeInfinity);
        else if (type == TensorType.Float32) BitConverter.TryWriteBytes(at, float.PositiveInfinity);
        else if (type == TensorType.Float64) BitConverter.TryWriteBytes(at, double.NegativeInfinity);
        else if (type == TensorType.BFloat16) BitConverter.TryWriteBytes(at, (ushort)0x7F80);
    }

    private static string Text(Random random) =>
        string.Concat(Enumerable.Range(0, random.Next(12)).Select(_ => Letters.EnumerateRunes().ElementAt(random.Next(12))));
}
