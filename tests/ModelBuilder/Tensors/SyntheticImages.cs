using System.Runtime.InteropServices;
using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Tests.ModelBuilder.Tensors;

/// <summary>Pictures of kinds that a network for photographs tells apart: each kind has its own gratings, blobs and colours, each picture its own
/// places and noise.</summary>
internal static class SyntheticImages
{
    public const int Side = 224, Channels = 3;

    /// <summary>[1, 3, 224, 224]: 8-bit levels less their usual mean, as the network was trained on.</summary>
    /// <param name="kind">Which kind.</param>
    /// <param name="number">Which picture of that kind.</param>
    public static float[] Draw(int kind, int number)
    {
        Random of = new((kind * 7919) + 1), own = new((kind * 104_729) + number + 17);
        var pixels = new float[Channels * Side * Side];
        var gratings = Enumerable.Range(0, 4).Select(_ => (Angle: of.NextDouble() * Math.PI, Length: 4 + (of.NextDouble() * 60),
            Red: of.NextSingle() - 0.5f, Green: of.NextSingle() - 0.5f, Blue: of.NextSingle() - 0.5f,
            Phase: own.NextDouble() * 2 * Math.PI)).ToArray();
        var blobs = Enumerable.Range(0, 5).Select(_ => (X: own.Next(Side), Y: own.Next(Side), Size: 8 + (of.NextDouble() * 40),
            Red: of.NextSingle() - 0.5f, Green: of.NextSingle() - 0.5f, Blue: of.NextSingle() - 0.5f)).ToArray();
        var noise = 0.02f + (own.NextSingle() * 0.06f);
        for (var y = 0; y < Side; y++)
        {
            for (var x = 0; x < Side; x++)
            {
                float red = 0.5f, green = 0.5f, blue = 0.5f;
                foreach (var g in gratings)
                {
                    var wave = (float)Math.Sin((((x * Math.Cos(g.Angle)) + (y * Math.Sin(g.Angle))) * 2 * Math.PI / g.Length) + g.Phase) * 0.35f;
                    (red, green, blue) = (red + (wave * g.Red), green + (wave * g.Green), blue + (wave * g.Blue));
                }

                foreach (var b in blobs)
                {
                    if (((x - b.X) * (x - b.X)) + ((y - b.Y) * (y - b.Y)) > b.Size * b.Size) continue;
                    (red, green, blue) = (red + b.Red, green + b.Green, blue + b.Blue);
                }

                var at = (y * Side) + x;
                pixels[at] = (Math.Clamp(red + (noise * (own.NextSingle() - 0.5f)), 0, 1) - 0.45f) * 255;
                pixels[(Side * Side) + at] = (Math.Clamp(green + (noise * (own.NextSingle() - 0.5f)), 0, 1) - 0.45f) * 255;
                pixels[(2 * Side * Side) + at] = (Math.Clamp(blue + (noise * (own.NextSingle() - 0.5f)), 0, 1) - 0.45f) * 255;
            }
        }

        return pixels;
    }

    /// <summary>Pictures behind one another in one tensor.</summary>
    public static Tensor Batch(string name, params IReadOnlyList<float[]> pictures) =>
        new(name, TensorType.Float32, [pictures.Count, Channels, Side, Side],
            MemoryMarshal.AsBytes<float>(pictures.SelectMany(picture => picture).ToArray()).ToArray());
}
