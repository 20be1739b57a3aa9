namespace R1Serverless.ModelBuilder.Fitting.Training;

/// <summary>Parts of a set, of equal size, in each of which every class has its share.</summary>
internal static class StratifiedFolds
{
    /// <summary>The part of each sample, from 0. A class with at least two samples is in at least two parts.</summary>
    /// <param name="seed">Another one deals the samples otherwise.</param>
    public static int[] Deal(int[] classes, int folds, int seed)
    {
        Random random = new(seed);
        var dealt = new int[classes.Length];
        var next = 0;
        foreach (var group in Enumerable.Range(0, classes.Length).GroupBy(i => classes[i]).OrderBy(group => group.Key))
        {
            int[] samples = [.. group];
            random.Shuffle(samples);
            // Each class goes on where the last one ended: small classes don't all begin with the first part.
            foreach (var sample in samples) dealt[sample] = next++ % folds;
        }

        return dealt;
    }
}
