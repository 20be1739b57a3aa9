using System.Text.Json;
using R1Serverless.ModelBuilder.Fitting.Training;

namespace R1Serverless.Tests.ModelBuilder.Fitting.Training;

public sealed class CrossValidationTests
{
    [Fact]
    public void Classes_that_lie_apart_are_told_apart()
    {
        var report = Run(Clouds.Draw(1, distance: 12, width: 5, 10, 10, 10));
        Assert.Equal(1, report.Accuracy);
        Assert.Equal((10, 3), (report.Folds, report.Repeats));
        Assert.All(report.Classes, one => Assert.Equal((10, 1d, 1d), (one.Samples, one.Precision, one.Recall)));
        Assert.InRange(report.Low, 0.85, 0.95);
        Assert.Equal(1, report.High, 1e-9);
    }

    /// <summary>Two normal clouds whose centres are 2 apart: nothing can be right more often than the normal distribution's share within 1.</summary>
    [Fact]
    public void Of_overlapping_classes_it_expects_what_others_then_show()
    {
        const double Possible = 0.8413;
        var points = Clouds.Draw(2, Math.Sqrt(2), 2, 1000, 1000);
        var report = Run(points);
        Assert.InRange(report.Accuracy, Possible - 0.03, Possible + 0.03);
        Assert.True(report.Low < Possible && Possible < report.High, $"{report.Low} to {report.High}");
        var (set, scale) = Clouds.Scaled(points);
        var head = LogisticHead.Fit(set, scale, report.Strength);
        var (others, classes) = Clouds.Draw(3, Math.Sqrt(2), 2, 5000, 5000);
        var right = classes.Index().Average(one => head.Label(others.AsSpan(one.Index * 2, 2)) == one.Item ? 1d : 0);
        Assert.InRange(report.Accuracy, right - 0.03, right + 0.03);
    }

    [Fact]
    public void Of_noise_it_expects_nothing()
    {
        var report = Run(Clouds.Draw(4, distance: 0, width: 20, 30, 30));
        Assert.InRange(report.Accuracy, 0.3, 0.65);
        Assert.True(report.Low <= report.Baseline);
        // Weak heads do best there.
        Assert.True(report.Strength <= 1, $"{report.Strength}");
    }

    [Fact]
    public void A_rare_class_is_seen_in_its_recall_and_the_frequent_one_in_the_baseline()
    {
        var report = Run(Clouds.Draw(5, distance: 1.5, width: 2, 190, 10));
        Assert.Equal(0.95, report.Baseline);
        Assert.True(report.Accuracy >= 0.93, $"{report.Accuracy}");
        Assert.InRange(report.Classes[1].Recall, 0, 0.9);
        Assert.Equal(190, report.Confusion[0].Sum(), 1e-9);
        Assert.Equal(10, report.Confusion[1].Sum(), 1e-9);
        Assert.Equal(report.Accuracy, (report.Confusion[0][0] + report.Confusion[1][1]) / 200, 1e-9);
    }

    [Fact]
    public void The_same_samples_give_the_same_report_and_head()
    {
        var points = Clouds.Draw(6, distance: 1, width: 30, 25, 15, 40);
        var (first, second) = (Run(points), Run(points));
        Assert.Equal(JsonSerializer.Serialize(first), JsonSerializer.Serialize(second));
        var (set, scale) = Clouds.Scaled(points);
        var (one, other) = (LogisticHead.Fit(set, scale, first.Strength), LogisticHead.Fit(set, scale, first.Strength));
        Assert.Equal(one.Weights, other.Weights);
        Assert.Equal(one.Biases, other.Biases);
    }

    [Theory]
    [InlineData(new[] { 2, 2 })]
    [InlineData(new[] { 2, 3, 50 })]
    public void Two_samples_of_a_class_are_enough(int[] counts)
    {
        var report = Run(Clouds.Draw(7, distance: 40, width: counts.Length, counts));
        Assert.Equal(counts, report.Classes.Select(one => one.Samples));
        Assert.Equal(1, report.Accuracy, 0.1);
    }

    /// <summary>As R's binom.confint(42, 50, methods = "wilson") gives it.</summary>
    [Fact]
    public void The_interval_is_Wilsons()
    {
        var (low, high) = CrossValidation.Interval(0.84, 50);
        Assert.Equal(0.7148561, low, 1e-5);
        Assert.Equal(0.9166234, high, 1e-5);
    }

    [Fact]
    public void Parts_have_equal_size_and_shares_of_each_class()
    {
        int[] classes = [.. Enumerable.Range(0, 103).Select(i => i % 10 < 6 ? 0 : i % 10 < 9 ? 1 : 2)];
        var dealt = StratifiedFolds.Deal(classes, 5, seed: 3);
        Assert.All(dealt.CountBy(part => part), part => Assert.InRange(part.Value, 20, 21));
        foreach (var group in classes.Index().GroupBy(one => one.Item))
        {
            var shares = Enumerable.Range(0, 5).Select(part => group.Count(one => dealt[one.Index] == part)).ToArray();
            Assert.InRange(shares.Max() - shares.Min(), 0, 1);
        }

        Assert.NotEqual(dealt, StratifiedFolds.Deal(classes, 5, seed: 4));
    }

    private static FitReport Run((float[] Values, int[] Classes) points)
    {
        var (set, _) = Clouds.Scaled(points);
        return CrossValidation.Run(set, [.. Enumerable.Range(0, set.ClassCount).Select(c => $"class {c}")], tried: null, CancellationToken.None);
    }
}
