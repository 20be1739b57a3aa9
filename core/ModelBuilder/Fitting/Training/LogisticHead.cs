using System.Numerics.Tensors;

namespace R1Serverless.ModelBuilder.Fitting.Training;

/// <summary>A multinomial logistic classifier of vectors as they come: scores are <c>weights · (vector - centre) + biases</c>, probabilities their
/// softmax. The numbers are those that a graph keeps.</summary>
/// <param name="Centre">The vectors' mean. It is taken off first: folded into the biases, large numbers would leave few digits of the rest.</param>
/// <param name="Weights">[labels, width].</param>
/// <param name="Biases">[labels].</param>
internal sealed record LogisticHead(float[] Centre, float[] Weights, float[] Biases)
{
    private const double Tolerance = 1e-8;

    /// <summary>Fits a head with a strength that <see cref="CrossValidation"/> found.</summary>
    public static LogisticHead Fit(TrainingSet set, VectorScale scale, double strength)
    {
        var head = new double[LogisticLoss.Size(set)];
        var curvature = Curvature.Moments(set) is { } moments ? Curvature.Of(moments, set.Width, 1 / (strength * set.Count)) : null;
        Lbfgs.Minimise(new LogisticLoss(set, [.. Enumerable.Range(0, set.Count)], strength).Evaluate, head, Tolerance, curvature);
        var weights = set.ClassCount * set.Width;
        return new LogisticHead(
            [.. scale.Centre.Select(one => (float)one)],
            [.. Enumerable.Range(0, weights).Select(i => (float)(head[i] * scale.Factors[i % set.Width]))],
            [.. head.Skip(weights).Select(one => (float)one)]);
    }

    /// <summary>Of one vector, where NaN stands for the mean.</summary>
    public double[] Probabilities(ReadOnlySpan<float> vector)
    {
        var scores = new double[Biases.Length];
        for (var c = 0; c < scores.Length; c++)
        {
            scores[c] = Biases[c];
            for (var i = 0; i < vector.Length; i++)
                if (!float.IsNaN(vector[i])) scores[c] += Weights[(c * vector.Length) + i] * ((double)vector[i] - Centre[i]);
        }

        LogisticLoss.Soften(scores, 0);
        return scores;
    }

    /// <summary>The label that it gives a vector.</summary>
    public int Label(ReadOnlySpan<float> vector) => TensorPrimitives.IndexOfMax<double>(Probabilities(vector));
}
