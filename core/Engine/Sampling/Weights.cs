using System.Numerics.Tensors;
using System.Runtime.Intrinsics;

namespace R1Serverless.Engine.Sampling;

/// <summary>
/// Unnormalised probabilities, exp((logit − max) / temperature): the likeliest token weighs 1. Sums add in a fixed order, whatever the width of
/// the machine's vectors and wherever the row lies in memory, so that a row draws the same token alone and in company.
/// </summary>
internal static class Weights
{
    private const int Block = 512;

    /// <param name="logits">None NaN.</param>
    /// <param name="max">The greatest of them, finite.</param>
    /// <param name="temperature">Above 0.</param>
    /// <param name="weights">As many as there are logits.</param>
    public static void Fill(ReadOnlySpan<float> logits, float max, float temperature, Span<float> weights)
    {
        TensorPrimitives.Subtract(logits, max, weights);
        TensorPrimitives.Multiply(weights, 1 / temperature, weights);
        TensorPrimitives.Exp(weights, weights);
    }

    public static double Sum(ReadOnlySpan<float> weights)
    {
        double sum = 0;
        for (var start = 0; start < weights.Length; start += Block)
            sum += BlockSum(weights, start);
        return sum;
    }

    /// <summary>The id at which the running sum passes <paramref name="target"/>, which lies in [0, sum).</summary>
    public static int Pick(ReadOnlySpan<float> weights, double target)
    {
        var start = 0;
        for (; start + Block < weights.Length; start += Block)
        {
            var sum = BlockSum(weights, start);
            if (sum > target) break;
            target -= sum;
        }

        var last = 0;
        for (var id = start; id < weights.Length; id++)
        {
            if (weights[id] <= 0) continue;
            target -= weights[id];
            if (target < 0) return id;
            last = id;
        }

        // Rounding may leave a crumb of the target after the last token that has a weight.
        return last > 0 ? last : TensorPrimitives.IndexOfMax(weights);
    }

    private static float BlockSum(ReadOnlySpan<float> weights, int start)
    {
        var block = weights.Slice(start, Math.Min(Block, weights.Length - start));
        var lanes = Vector256<float>.Zero;
        var i = 0;
        for (; i <= block.Length - Vector256<float>.Count; i += Vector256<float>.Count)
            lanes += Vector256.Create(block[i..]);
        float sum = 0;
        for (var lane = 0; lane < Vector256<float>.Count; lane++) sum += lanes[lane];
        for (; i < block.Length; i++) sum += block[i];
        return sum;
    }
}
