using System.Numerics.Tensors;

namespace R1Serverless.Engine.Evaluation;

/// <summary>
/// The Kullback-Leibler divergence of two distributions given as logits, in nats. In double precision and with each side's largest logit taken off
/// first: two variants differ by so little that single precision would lose it, and no exponential overflows.
/// </summary>
internal sealed class Divergence(int vocabularySize)
{
    /// <summary>What a distribution without sense (a logit that is NaN or positive infinity) counts; no other counts more.</summary>
    public const double Most = 100;

    /// <summary>Logits below this, negative infinity among them, are as this: their probability is zero either way.</summary>
    private const double Least = -1e4;

    private readonly double[] _reference = new double[vocabularySize];
    private readonly double[] _other = new double[vocabularySize];
    private readonly double[] _weights = new double[vocabularySize];

    /// <summary>KL(reference ‖ other), 0 to <see cref="Most"/>. Both have one logit per token.</summary>
    public double Between(ReadOnlySpan<float> reference, ReadOnlySpan<float> other)
    {
        // The reference last: its weights are needed again.
        var otherSum = Exponentials(other, _other);
        var referenceSum = Exponentials(reference, _reference);
        TensorPrimitives.Subtract<double>(_reference, _other, _other);
        var divergence = (TensorPrimitives.Dot<double>(_weights, _other) / referenceSum) - Math.Log(referenceSum) + Math.Log(otherSum);
        return double.IsNaN(divergence) ? Most : Math.Clamp(divergence, 0, Most);
    }

    /// <summary>Leaves the logits less their largest in <paramref name="shifted"/> and their exponentials in the weights; gives the sum of
    /// those.</summary>
    private double Exponentials(ReadOnlySpan<float> logits, Span<double> shifted)
    {
        TensorPrimitives.ConvertTruncating<float, double>(logits, shifted);
        TensorPrimitives.Max(shifted, Least, shifted);
        TensorPrimitives.Subtract(shifted, TensorPrimitives.Max<double>(shifted), shifted);
        TensorPrimitives.Exp<double>(shifted, _weights);
        return TensorPrimitives.Sum<double>(_weights);
    }
}
