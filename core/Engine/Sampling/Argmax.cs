using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace R1Serverless.Engine.Sampling;

/// <summary>
/// The place of the largest logit. Block by block the maximum alone, then its place in the one block that has it: four times as fast as carrying the
/// places along (measured at 32 rows of 32,000), and it stands between two model runs.
/// </summary>
internal static class Argmax
{
    private const int Block = 1024;

    /// <summary>The lowest index of the largest value; as <see cref="TensorPrimitives.IndexOfMax(ReadOnlySpan{float})"/>, the first NaN where there
    /// is one.</summary>
    public static int Of(ReadOnlySpan<float> values)
    {
        var (best, at) = (float.NegativeInfinity, 0);
        for (var start = 0; start < values.Length; start += Block)
        {
            var largest = Max(values.Slice(start, Math.Min(Block, values.Length - start)));
            if (float.IsNaN(largest)) return TensorPrimitives.IndexOfMax(values);
            if (largest > best) (best, at) = (largest, start);
        }

        return at + values.Slice(at, Math.Min(Block, values.Length - at)).IndexOf(best);
    }

    private static float Max(ReadOnlySpan<float> block)
    {
        var vectors = MemoryMarshal.Cast<float, Vector<float>>(block);
        // Four at a time: one maximum waits for the one before it.
        Vector<float> a = new(float.NegativeInfinity), b = a, c = a, d = a;
        var i = 0;
        for (; i + 3 < vectors.Length; i += 4)
        {
            a = Vector.Max(a, vectors[i]);
            b = Vector.Max(b, vectors[i + 1]);
            c = Vector.Max(c, vectors[i + 2]);
            d = Vector.Max(d, vectors[i + 3]);
        }

        for (; i < vectors.Length; i++) a = Vector.Max(a, vectors[i]);
        a = Vector.Max(Vector.Max(a, b), Vector.Max(c, d));
        var largest = float.NegativeInfinity;
        for (var lane = 0; lane < Vector<float>.Count; lane++) largest = MathF.Max(largest, a[lane]);
        foreach (var rest in block[(vectors.Length * Vector<float>.Count)..]) largest = MathF.Max(largest, rest);
        return largest;
    }
}
