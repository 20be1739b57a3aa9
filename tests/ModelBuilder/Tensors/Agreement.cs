using System.Numerics.Tensors;
using R1Serverless.Engine.Evaluation;
using Tensor = R1Serverless.Abstractions.Tensors.Tensor;

namespace R1Serverless.Tests.ModelBuilder.Tensors;

/// <summary>How well one precision's vectors agree with another's.</summary>
internal static class Agreement
{
    /// <summary>The mean cosine of vectors that belong together.</summary>
    public static double Cosine(IReadOnlyList<float[]> exact, IReadOnlyList<float[]> other) =>
        exact.Zip(other, (a, b) => (double)TensorPrimitives.CosineSimilarity(a, b)).Average();

    /// <summary>The share of vectors whose nearest neighbour, by cosine, is the same one among their own kind.</summary>
    public static double Nearest(IReadOnlyList<float[]> exact, IReadOnlyList<float[]> other) =>
        Enumerable.Range(0, exact.Count).Average(i => Neighbour(exact, i) == Neighbour(other, i) ? 1.0 : 0.0);

    /// <summary>Medians of milliseconds, measured in turns.</summary>
    public static double[] Medians(IReadOnlyList<TensorRunner> runners, IReadOnlyList<Tensor> inputs, int rounds)
    {
        var times = runners.Select(_ => new List<double>()).ToArray();
        foreach (var runner in runners) runner.Time(inputs);
        for (var round = 0; round < rounds; round++)
            foreach (var (i, runner) in runners.Index()) times[i].Add(runner.Time(inputs));
        return [.. times.Select(InterleavedRates.Median)];
    }

    private static int Neighbour(IReadOnlyList<float[]> vectors, int of) =>
        Enumerable.Range(0, vectors.Count).Where(i => i != of).MaxBy(i => TensorPrimitives.CosineSimilarity(vectors[i], vectors[of]));
}
