using System.Numerics.Tensors;
using R1Serverless.ModelBuilder.Fitting.Training;

namespace R1Serverless.Tests.ModelBuilder.Fitting.Training;

public sealed class LogisticHeadTests
{
    [Fact]
    public void The_gradient_is_that_of_the_loss()
    {
        var (set, _) = Clouds.Scaled(Clouds.Draw(1, 1, 4, 8, 12, 5));
        LogisticLoss loss = new(set, [.. Enumerable.Range(0, set.Count).Where(i => i % 3 > 0)], strength: 0.5);
        Random random = new(2);
        double[] place = [.. Enumerable.Range(0, LogisticLoss.Size(set)).Select(_ => Clouds.Normal(random))];
        var (gradient, unused) = (new double[place.Length], new double[place.Length]);
        loss.Evaluate(place, gradient);
        for (var i = 0; i < place.Length; i++)
        {
            const double Step = 1e-6;
            double[] before = [.. place], after = [.. place];
            before[i] -= Step;
            after[i] += Step;
            Assert.Equal((loss.Evaluate(after, unused) - loss.Evaluate(before, unused)) / (2 * Step), gradient[i], 1e-7);
        }
    }

    /// <summary>Convex: where the gradient is zero, there is no better place.</summary>
    [Theory]
    [InlineData(0.03)]
    [InlineData(10)]
    [InlineData(30000)]
    public void The_fit_ends_where_the_gradient_is_zero(double strength)
    {
        var (set, _) = Clouds.Scaled(Clouds.Draw(3, 2, 40, 20, 20, 20));
        LogisticLoss loss = new(set, [.. Enumerable.Range(0, set.Count)], strength);
        var (head, gradient) = (new double[LogisticLoss.Size(set)], new double[LogisticLoss.Size(set)]);
        var steps = Lbfgs.Minimise(loss.Evaluate, head, 1e-8);
        loss.Evaluate(head, gradient);
        Assert.InRange(Math.Abs(TensorPrimitives.MaxMagnitude<double>(gradient)), 0, 1e-7);
        Assert.InRange(steps, 1, 300);
    }

    /// <summary>It only shortens the way.</summary>
    [Fact]
    public void What_is_known_of_the_curvature_does_not_move_the_least_place()
    {
        var (set, _) = Clouds.Scaled(Clouds.Draw(4, 3, 30, 200, 200, 200));
        LogisticLoss loss = new(set, [.. Enumerable.Range(0, set.Count)], 100);
        var (plain, quick) = (new double[LogisticLoss.Size(set)], new double[LogisticLoss.Size(set)]);
        var steps = Lbfgs.Minimise(loss.Evaluate, plain, 1e-9);
        var fewer = Lbfgs.Minimise(loss.Evaluate, quick, 1e-9, Curvature.Of(Curvature.Moments(set)!, set.Width, 1 / (100d * set.Count)));
        Assert.Equal(plain, quick, (a, b) => Math.Abs(a - b) < 1e-3);
        Assert.True(fewer < steps, $"{fewer} steps instead of {steps}");
        Assert.Null(Curvature.Moments(Clouds.Scaled(Clouds.Draw(4, 3, 30, 10, 10)).Set));
    }

    /// <summary>The valley of Rosenbrock's function is curved, but its least place is known.</summary>
    [Fact]
    public void The_least_place_of_a_hard_function_is_found()
    {
        double[] place = [-1.2, 1];
        Lbfgs.Minimise((at, gradient) =>
        {
            var (a, b) = (1 - at[0], at[1] - (at[0] * at[0]));
            (gradient[0], gradient[1]) = ((-2 * a) - (400 * at[0] * b), 200 * b);
            return (a * a) + (100 * b * b);
        }, place, 1e-10);
        Assert.Equal(1, place[0], 1e-8);
        Assert.Equal(1, place[1], 1e-8);
    }

    /// <summary>Of one column and two labels, what scikit-learn's formula has at its least place: strength · Σ (p - y) · x + w = 0, and Σ (p - y) =
    /// 0.</summary>
    [Fact]
    public void The_strength_is_scikit_learns_C()
    {
        double[] values = [-1.5, -0.5, 0.25, 0.5, 1.25];
        int[] classes = [0, 0, 1, 0, 1];
        TrainingSet set = new(values, 1, classes, 2);
        var head = new double[4];
        Lbfgs.Minimise(new LogisticLoss(set, [0, 1, 2, 3, 4], 3).Evaluate, head, 1e-12);
        // With two classes, each has half of what a single row of weights would have.
        var errors = values.Select((x, i) => (1 / (1 + Math.Exp(-(((head[1] - head[0]) * x) + head[3] - head[2])))) - classes[i]).ToArray();
        Assert.Equal(0, errors.Sum(), 1e-9);
        Assert.Equal(0, (3 * errors.Zip(values).Sum(one => one.First * one.Second)) + head[1], 1e-9);
        Assert.Equal(-head[0], head[1], 1e-9);
    }

    [Fact]
    public void Units_of_columns_do_not_matter()
    {
        var (values, classes) = Clouds.Draw(8, 2, 3, 30, 30);
        float[] other = [.. values.Select((value, i) => i % 3 == 1 ? (value * 4096) + 1048576 : value)];
        foreach (var vector in (int[])[0, 20, 40, 59])
        {
            var (plain, moved) = (Fit(values, classes), Fit(other, classes));
            Assert.Equal(plain.Probabilities(values.AsSpan(vector * 3, 3))[0], moved.Probabilities(other.AsSpan(vector * 3, 3))[0], 1e-4);
        }
    }

    [Fact]
    public void What_never_varies_and_what_is_missing_does_not_count()
    {
        var (values, classes) = Clouds.Draw(9, 3, 3, 20, 20);
        for (var i = 2; i < values.Length; i += 3) values[i] = 7.3f;
        values[0] = float.NaN;
        var head = Fit(values, classes);
        Assert.Equal([0, 0], ((int[])[2, 5]).Select(i => head.Weights[i]));
        Assert.Equal(head.Probabilities([head.Centre[0], 1, 7.3f]), head.Probabilities([float.NaN, 1, 99]));
    }

    private static LogisticHead Fit(float[] values, int[] classes)
    {
        var (set, scale) = Clouds.Scaled((values, classes));
        return LogisticHead.Fit(set, scale, 1);
    }
}
