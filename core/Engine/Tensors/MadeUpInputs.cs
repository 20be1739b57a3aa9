using System.Globalization;
using System.Text;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Models.Layouts;

namespace R1Serverless.Engine.Tensors;

/// <summary>Inputs that are made up to see how a graph behaves: numbers from -1 to 1, and whole numbers that are 0 or 1, which are tokens of any
/// vocabulary and masks.</summary>
public static class MadeUpInputs
{
    /// <summary>One request. The same seed gives the same content.</summary>
    /// <param name="inputs">Tensors of known rank, as the graph says.</param>
    /// <param name="size">Of each free dimension but the first.</param>
    /// <param name="rows">Of the first dimension where it is free.</param>
    /// <exception cref="OverflowException">A tensor would have more elements than fit into memory.</exception>
    public static IReadOnlyList<Tensor> Make(IEnumerable<OnnxValue> inputs, int size, int rows, int seed)
    {
        var random = new Random(seed);
        return [.. inputs.Select(input => Make(input, size, rows, random))];
    }

    private static Tensor Make(OnnxValue input, int size, int rows, Random random)
    {
        long[] shape = [.. input.Dimensions!.Select((dimension, axis) => dimension.Size ?? (axis == 0 ? rows : size))];
        var type = TensorGraph.TypeOf(input);
        var elements = checked((int)(Tensor.Elements(shape) ?? long.MaxValue));
        using MemoryStream data = new(checked(elements * Math.Max(1, TensorTypes.Size(type))));
        for (var i = 0; i < elements; i++) data.Write(Element(type, random));
        return new Tensor(input.Name, type, shape, data.ToArray());
    }

    private static byte[] Element(TensorType type, Random random) => type switch
    {
        TensorType.Float32 => BitConverter.GetBytes((random.NextSingle() * 2) - 1),
        TensorType.Float64 => BitConverter.GetBytes((random.NextDouble() * 2) - 1),
        TensorType.Float16 => BitConverter.GetBytes((Half)((random.NextSingle() * 2) - 1)),
        TensorType.BFloat16 => BitConverter.GetBytes((random.NextSingle() * 2) - 1)[2..],
        TensorType.Bytes => [2, 0, 0, 0, .. Encoding.ASCII.GetBytes(random.Next(10, 100).ToString(CultureInfo.InvariantCulture))],
        _ => [(byte)random.Next(2), .. new byte[TensorTypes.Size(type) - 1]],
    };
}
