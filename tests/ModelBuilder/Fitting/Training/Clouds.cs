using R1Serverless.ModelBuilder.Fitting.Training;

namespace R1Serverless.Tests.ModelBuilder.Fitting.Training;

/// <summary>Points around a centre for each class, normally distributed.</summary>
internal static class Clouds
{
    /// <summary>Centres are 0 but for one coordinate, that of the class's number, which is <paramref name="distance"/>; deviations are 1.</summary>
    /// <param name="counts">Points of each class.</param>
    public static (float[] Values, int[] Classes) Draw(int seed, double distance, int width, params int[] counts)
    {
        Random random = new(seed);
        List<float> values = [];
        List<int> classes = [];
        for (var c = 0; c < counts.Length; c++)
        {
            for (var i = 0; i < counts[c]; i++)
            {
                classes.Add(c);
                for (var column = 0; column < width; column++) values.Add((float)(Normal(random) + (column == c ? distance : 0)));
            }
        }

        return ([.. values], [.. classes]);
    }

    /// <summary>Scaled, as a fit scales them.</summary>
    public static (TrainingSet Set, VectorScale Scale) Scaled((float[] Values, int[] Classes) points)
    {
        var scale = VectorScale.Of(points.Values, points.Values.Length / points.Classes.Length, isByColumn: true);
        return (scale.Apply(points.Values, points.Classes, points.Classes.Max() + 1), scale);
    }

    /// <summary>By Box and Muller.</summary>
    public static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
