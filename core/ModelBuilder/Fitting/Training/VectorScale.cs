namespace R1Serverless.ModelBuilder.Fitting.Training;

/// <summary>How vectors are shifted and scaled before a head is fitted: mean 0, and a mean squared length of 1, so that one list of strengths suits
/// all.</summary>
/// <param name="Centre">The mean of each column.</param>
/// <param name="Factors">Of each column; 0 where it never varies.</param>
internal sealed record VectorScale(double[] Centre, double[] Factors)
{
    /// <summary>Less than this part of a column's size is rounding, not variation.</summary>
    private const double Negligible = 1e-6;

    /// <param name="values">[count, width]; NaN where nothing is known.</param>
    /// <param name="isByColumn">Whether each column gets the same spread, as numbers of different units should; else all keep their proportions, as
    /// an encoder's do.</param>
    public static VectorScale Of(ReadOnlySpan<float> values, int width, bool isByColumn)
    {
        var (centre, spread, known) = (new double[width], new double[width], new int[width]);
        for (var rest = values; rest.Length > 0; rest = rest[width..])
        {
            for (var c = 0; c < width; c++)
            {
                if (float.IsNaN(rest[c])) continue;
                centre[c] += rest[c];
                known[c]++;
            }
        }

        // As the graph has it.
        for (var c = 0; c < width; c++) centre[c] = (float)(centre[c] / Math.Max(1, known[c]));
        for (var rest = values; rest.Length > 0; rest = rest[width..])
        {
            for (var c = 0; c < width; c++)
                if (rest[c] - centre[c] is var apart && !double.IsNaN(apart)) spread[c] += apart * apart;
        }

        for (var c = 0; c < width; c++)
            spread[c] = Math.Sqrt(spread[c] / Math.Max(1, known[c])) is var one && one > Negligible * Math.Abs(centre[c]) ? one : 0;
        var varying = Math.Sqrt(Math.Max(1, spread.Count(one => one > 0)));
        var whole = Math.Sqrt(spread.Sum(one => one * one));
        return new VectorScale(centre, [.. spread.Select(one => one == 0 ? 0 : isByColumn ? 1 / (one * varying) : 1 / whole)]);
    }

    /// <summary>The vectors to fit on; what is not known counts as the mean.</summary>
    public TrainingSet Apply(ReadOnlySpan<float> values, int[] classes, int classCount)
    {
        var (scaled, width) = (new double[values.Length], Centre.Length);
        for (var i = 0; i < values.Length; i += width)
        {
            for (var c = 0; c < width; c++)
                if (!float.IsNaN(values[i + c])) scaled[i + c] = (values[i + c] - Centre[c]) * Factors[c];
        }

        return new TrainingSet(scaled, width, classes, classCount);
    }
}
