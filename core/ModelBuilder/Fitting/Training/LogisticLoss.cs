using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace R1Serverless.ModelBuilder.Fitting.Training;

/// <summary>
/// What a logistic head is fitted by: the mean of -log p over the rows, and half the squared length of the weights over <c>strength · rows</c>;
/// biases are free. Weights stand [classes, width], the biases behind them. It is smooth and convex, so that there is one answer.
/// </summary>
/// <param name="rows">Of the set, those that count.</param>
/// <param name="strength">How much the rows weigh against the penalty, above 0: scikit-learn's C.</param>
internal sealed class LogisticLoss(TrainingSet set, int[] rows, double strength)
{
    private readonly double[] _scores = new double[set.ClassCount];

    /// <summary>Numbers of a head.</summary>
    public static int Size(TrainingSet set) => set.ClassCount * (set.Width + 1);

    /// <summary>The loss, and its gradient. Not for several threads at once.</summary>
    public double Evaluate(ReadOnlySpan<double> head, Span<double> gradient)
    {
        var (width, classes) = (set.Width, set.ClassCount);
        var weights = classes * width;
        var penalty = 1 / (strength * rows.Length);
        gradient.Clear();
        var loss = 0d;
        foreach (var i in rows)
        {
            var row = set.Row(i);
            Score(head, row, width, _scores);
            loss += Soften(_scores, set.Classes[i]);
            _scores[set.Classes[i]] -= 1;
            for (var c = 0; c < classes; c++)
            {
                var slope = gradient.Slice(c * width, width);
                Add(row, _scores[c], slope);
                gradient[weights + c] += _scores[c];
            }
        }

        TensorPrimitives.Divide(gradient, rows.Length, gradient);
        TensorPrimitives.MultiplyAdd(head[..weights], penalty, gradient[..weights], gradient[..weights]);
        return (loss / rows.Length) + (penalty / 2 * TensorPrimitives.SumOfSquares(head[..weights]));
    }

    /// <summary>The score of each class for one vector.</summary>
    public static void Score(ReadOnlySpan<double> head, ReadOnlySpan<double> row, int width, Span<double> scores)
    {
        for (var c = 0; c < scores.Length; c++)
            scores[c] = Dot(head.Slice(c * width, width), row) + head[(scores.Length * width) + c];
    }

    // The library's own would first run for a second as they come, before the runtime optimises them: a whole fit takes less.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        var first = MemoryMarshal.Cast<double, Vector<double>>(a);
        var second = MemoryMarshal.Cast<double, Vector<double>>(b);
        Vector<double> even = default, odd = default;
        var i = 0;
        for (; i + 1 < first.Length; i += 2) (even, odd) = (even + (first[i] * second[i]), odd + (first[i + 1] * second[i + 1]));
        if (i < first.Length) even += first[i] * second[i];
        var sum = Vector.Sum(even + odd);
        for (i = first.Length * Vector<double>.Count; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }

    /// <summary>Adds a multiple.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Add(ReadOnlySpan<double> row, double factor, Span<double> sum)
    {
        var from = MemoryMarshal.Cast<double, Vector<double>>(row);
        var to = MemoryMarshal.Cast<double, Vector<double>>(sum);
        Vector<double> factors = new(factor);
        for (var i = 0; i < from.Length; i++) to[i] += from[i] * factors;
        for (var i = from.Length * Vector<double>.Count; i < row.Length; i++) sum[i] += row[i] * factor;
    }

    /// <summary>Makes probabilities of scores; gives -log of one of them.</summary>
    public static double Soften(Span<double> scores, int right)
    {
        var greatest = TensorPrimitives.Max<double>(scores);
        var wanted = scores[right] - greatest;
        var sum = 0d;
        for (var c = 0; c < scores.Length; c++) sum += scores[c] = Math.Exp(scores[c] - greatest);
        TensorPrimitives.Divide(scores, sum, scores);
        return Math.Log(sum) - wanted;
    }
}
