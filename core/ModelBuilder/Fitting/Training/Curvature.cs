using System.Numerics.Tensors;

namespace R1Serverless.ModelBuilder.Fitting.Training;

/// <summary>
/// About how the loss bends, from the vectors' second moments: with it, a fit of many vectors takes some twenty steps and not two hundred. As
/// Böhning's bound (1992) has it, but for a factor, each label's weights see <c>share · XᵀX / n + penalty</c>.
/// </summary>
internal sealed class Curvature
{
    /// <summary>Of a probability, p · (1 - p) as it is on the way.</summary>
    private const double Share = 0.1;

    /// <summary>With wider vectors, the factors cost more than they save.</summary>
    private const int MostColumns = 1024;

    private readonly double[] _factor;
    private readonly int _width;

    private Curvature(double[] factor, int width) => (_factor, _width) = (factor, width);

    /// <summary>[width, width], of which what is above the diagonal is zero; null where there are too few vectors for their width.</summary>
    public static double[]? Moments(TrainingSet set)
    {
        var width = set.Width;
        if (set.Count <= width || width > MostColumns) return null;
        var moments = new double[width * width];
        for (var i = 0; i < set.Count; i++)
        {
            var row = set.Row(i);
            for (var j = 0; j < width; j++)
            {
                var line = moments.AsSpan(j * width, j + 1);
                TensorPrimitives.MultiplyAdd(row[..(j + 1)], row[j] / set.Count, line, line);
            }
        }

        return moments;
    }

    /// <summary>By Cholesky's decomposition.</summary>
    /// <param name="moments">Of <see cref="Moments"/>.</param>
    /// <param name="penalty">Above 0.</param>
    public static Curvature Of(double[] moments, int width, double penalty)
    {
        var factor = new double[moments.Length];
        for (var i = 0; i < width; i++)
        {
            var row = factor.AsSpan(i * width, i + 1);
            for (var j = 0; j <= i; j++)
            {
                var rest = (Share * moments[(i * width) + j]) - TensorPrimitives.Dot<double>(row[..j], factor.AsSpan(j * width, j));
                row[j] = j < i ? rest / factor[(j * width) + j] : Math.Sqrt(Math.Max(rest, 0) + penalty);
            }
        }

        return new Curvature(factor, width);
    }

    /// <summary>What a step along a gradient would be if the loss bent so everywhere. Replaces the gradient: [classes, width], the biases
    /// behind.</summary>
    public void Straighten(Span<double> gradient)
    {
        var weights = gradient.Length / (_width + 1) * _width;
        for (var c = 0; c < weights; c += _width) Solve(gradient.Slice(c, _width));
        TensorPrimitives.Divide(gradient[weights..], Share, gradient[weights..]);
    }

    private void Solve(Span<double> values)
    {
        for (var i = 0; i < _width; i++)
            values[i] = (values[i] - TensorPrimitives.Dot<double>(_factor.AsSpan(i * _width, i), values[..i])) / _factor[(i * _width) + i];
        for (var i = _width - 1; i >= 0; i--)
        {
            values[i] /= _factor[(i * _width) + i];
            TensorPrimitives.MultiplyAdd(_factor.AsSpan(i * _width, i), -values[i], values[..i], values[..i]);
        }
    }
}
