using System.Buffers.Binary;
using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Engine.Tensors;

/// <summary>Inputs with white noise added, the same for the same seed.</summary>
public static class AddedNoise
{
    /// <summary>The standard deviation of an input's own values; 0 where they are all one.</summary>
    public static double Deviation(Tensor input)
    {
        var values = TensorNumbers.Of(input);
        var mean = values.Average(value => (double)value);
        return Math.Sqrt(values.Average(value => (value - mean) * (value - mean)));
    }

    /// <summary>Whether there is an image or a series among the inputs.</summary>
    /// <param name="inputs">Their content fits their shape; of other inputs only the shape is looked at.</param>
    public static bool IsFor(IReadOnlyList<Tensor> inputs) => inputs.Any(InputNoise.IsMeasured);

    /// <summary>Adds noise to the images and series among the inputs; the others stay. Bytes keep to 0 to 255.</summary>
    /// <param name="inputs">Their content fits their shape.</param>
    /// <param name="share">The noise's standard deviation over the input's own.</param>
    public static IReadOnlyList<Tensor> To(IReadOnlyList<Tensor> inputs, double share, int seed)
    {
        var random = new Random(seed);
        return [.. inputs.Select(input => InputNoise.IsMeasured(input) ? Noisy(input, share * Deviation(input), random) : input)];
    }

    private static Tensor Noisy(Tensor input, double sigma, Random random)
    {
        var noisy = new byte[input.Data.Length];
        var at = 0;
        foreach (var value in TensorNumbers.Of(input))
        {
            var next = value + (sigma * Normal(random));
            var to = noisy.AsSpan(at);
            switch (input.Type)
            {
                case TensorType.Float32: BinaryPrimitives.WriteSingleLittleEndian(to, (float)next); break;
                case TensorType.Float64: BinaryPrimitives.WriteDoubleLittleEndian(to, next); break;
                case TensorType.Float16: BinaryPrimitives.WriteHalfLittleEndian(to, (Half)next); break;
                default: to[0] = (byte)Math.Clamp(Math.Round(next), byte.MinValue, byte.MaxValue); break;
            }

            at += TensorTypes.Size(input.Type);
        }

        return input with { Data = noisy };
    }

    /// <summary>A standard normal number (Box and Muller, 1958).</summary>
    private static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
