namespace R1Serverless.ModelBuilder.Fitting.Training;

/// <summary>Vectors with their classes.</summary>
/// <param name="Values">One vector behind the other, without NaN.</param>
/// <param name="Width">Numbers of a vector.</param>
/// <param name="Classes">Of each vector, from 0.</param>
/// <param name="ClassCount">At least 2; each class has two vectors or more.</param>
internal sealed record TrainingSet(double[] Values, int Width, int[] Classes, int ClassCount)
{
    public int Count => Classes.Length;

    public ReadOnlySpan<double> Row(int i) => Values.AsSpan(i * Width, Width);

    /// <summary>How many vectors each class has.</summary>
    public int[] Counts()
    {
        var counts = new int[ClassCount];
        foreach (var one in Classes) counts[one]++;
        return counts;
    }
}
