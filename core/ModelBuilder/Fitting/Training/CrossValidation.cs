using System.Numerics.Tensors;

namespace R1Serverless.ModelBuilder.Fitting.Training;

/// <summary>
/// Chooses the strength of the penalty, and measures what it is worth: each part of the samples is judged by a head that was fitted on the others,
/// several times over where there are few. Strengths are tried from the weakest head to the strongest, each beginning where the one before ended,
/// until the loss has risen twice.
/// </summary>
internal static class CrossValidation
{
    /// <summary>With fewer samples, parts are smaller and dealt anew more often.</summary>
    private const int Few = 200, Some = 1000;

    private const double Tolerance = 1e-4;

    /// <summary>Half a decade apart; of many samples, every second one is tried.</summary>
    public static readonly IReadOnlyList<double> Strengths = [.. Enumerable.Range(-3, 13).Select(i => Math.Pow(10, i / 2d))];

    /// <param name="set">Scaled so that the mean squared length of its vectors is about 1.</param>
    /// <param name="labels">Of its classes.</param>
    /// <param name="tried">Told how many strengths were tried.</param>
    public static FitReport Run(TrainingSet set, IReadOnlyList<string> labels, IProgress<int>? tried, CancellationToken cancellation)
    {
        var counts = set.Counts();
        var folds = Math.Min(set.Count <= Few ? 10 : 5, counts.Max());
        var repeats = set.Count <= Few ? 3 : set.Count <= Some ? 2 : 1;
        var parts = Enumerable.Range(0, repeats).SelectMany(repeat => Parts(set, folds, repeat)).ToArray();
        Trial? best = null, before = null;
        var (risen, number) = (0, 0);
        var moments = Curvature.Moments(set);
        foreach (var strength in Strengths.Where((_, i) => set.Count <= Some || i % 2 == 1))
        {
            var loss = 0d;
            var curvature = moments is null ? null : Curvature.Of(moments, set.Width, 1 / (strength * set.Count));
            Parallel.ForEach(parts, new ParallelOptions { CancellationToken = cancellation }, part => part.Try(set, strength, curvature));
            foreach (var part in parts) loss += part.Loss;
            Trial trial = new(strength, loss / (set.Count * (double)repeats), [.. parts.Select(part => part.Given)]);
            risen = trial.Loss > before?.Loss ? risen + 1 : 0;
            if (best is null || trial.Loss < best.Loss) best = trial;
            before = trial;
            tried?.Report(++number);
            if (risen == 2) break;
        }

        return Report(set, labels, counts, folds, repeats, best!, parts);
    }

    /// <summary>Wilson's interval of a share that was found in so many.</summary>
    public static (double Low, double High) Interval(double share, int count)
    {
        const double Z = 1.959964;
        var (centre, around) = (share + (Z * Z / (2 * count)), Z * Math.Sqrt((share * (1 - share) / count) + (Z * Z / (4d * count * count))));
        var all = 1 + (Z * Z / count);
        return (Math.Max(0, (centre - around) / all), Math.Min(1, (centre + around) / all));
    }

    private static IEnumerable<Part> Parts(TrainingSet set, int folds, int repeat)
    {
        var dealt = StratifiedFolds.Deal(set.Classes, folds, repeat);
        return Enumerable.Range(0, folds).Select(fold => new Part(
            [.. Enumerable.Range(0, set.Count).Where(i => dealt[i] != fold)], [.. Enumerable.Range(0, set.Count).Where(i => dealt[i] == fold)],
            new double[LogisticLoss.Size(set)])).Where(part => part.Judged.Length > 0);
    }

    private static FitReport Report(TrainingSet set, IReadOnlyList<string> labels, int[] counts, int folds, int repeats, Trial best, Part[] parts)
    {
        var found = Enumerable.Range(0, set.ClassCount).Select(_ => new int[set.ClassCount]).ToArray();
        foreach (var (part, given) in parts.Zip(best.Given))
            foreach (var (i, label) in part.Judged.Zip(given)) found[set.Classes[i]][label]++;
        var accuracy = Enumerable.Range(0, set.ClassCount).Sum(c => found[c][c]) / ((double)set.Count * repeats);
        var (low, high) = Interval(accuracy, set.Count);
        return new FitReport
        {
            Classes = [.. labels.Select((label, c) => new ClassReport(label, counts[c],
                found.Sum(row => row[c]) is > 0 and var given ? found[c][c] / (double)given : null, found[c][c] / ((double)counts[c] * repeats)))],
            Samples = set.Count,
            Folds = folds,
            Repeats = repeats,
            Accuracy = accuracy,
            Low = low,
            High = high,
            Baseline = counts.Max() / (double)set.Count,
            LogLoss = best.Loss,
            Strength = best.Strength,
            Confusion = [.. found.Select(row => (double[])[.. row.Select(count => count / (double)repeats)])],
        };
    }

    /// <param name="Given">By part, the label that each of its judged samples was given.</param>
    private sealed record Trial(double Strength, double Loss, int[][] Given);

    /// <param name="Head">Of the strength before, to begin with.</param>
    private sealed record Part(int[] Fitted, int[] Judged, double[] Head)
    {
        public int[] Given { get; private set; } = [];

        public double Loss { get; private set; }

        public void Try(TrainingSet set, double strength, Curvature? curvature)
        {
            Lbfgs.Minimise(new LogisticLoss(set, Fitted, strength).Evaluate, Head, Tolerance, curvature);
            var (scores, given) = (new double[set.ClassCount], new int[Judged.Length]);
            Loss = 0;
            for (var i = 0; i < Judged.Length; i++)
            {
                LogisticLoss.Score(Head, set.Row(Judged[i]), set.Width, scores);
                given[i] = TensorPrimitives.IndexOfMax<double>(scores);
                Loss += LogisticLoss.Soften(scores, set.Classes[Judged[i]]);
            }

            Given = given;
        }
    }
}
