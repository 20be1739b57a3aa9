using System.Numerics.Tensors;

namespace R1Serverless.ModelBuilder.Fitting.Training;

/// <summary>A smooth function: its value at a place, and its gradient there.</summary>
internal delegate double SmoothFunction(ReadOnlySpan<double> place, Span<double> gradient);

/// <summary>
/// The least place of a smooth convex function by limited-memory BFGS (Nocedal and Wright, Numerical Optimization, algorithm 7.5), with steps by
/// bisection that meet Wolfe's conditions (Lewis and Overton, 2013). Deterministic.
/// </summary>
internal static class Lbfgs
{
    private const int Remembered = 10, MaxSteps = 1000, MaxTrials = 40;

    /// <summary>How much of the promised descent a step must bring, and how much of the slope may be left.</summary>
    private const double Descent = 1e-4, Flatness = 0.9;

    /// <summary>Moves the place to the least one.</summary>
    /// <param name="tolerance">The largest number that the gradient may have there.</param>
    /// <param name="curvature">About how it bends, where that is known.</param>
    /// <returns>How many steps it took.</returns>
    public static int Minimise(SmoothFunction function, double[] place, double tolerance, Curvature? curvature = null)
    {
        var (gradient, next, nextGradient, way) = (new double[place.Length], new double[place.Length], new double[place.Length],
            new double[place.Length]);
        LinkedList<(double[] Moved, double[] Turned, double Curve)> past = new();
        var value = function(place, gradient);
        for (var step = 0; step < MaxSteps; step++)
        {
            if (Math.Abs(TensorPrimitives.MaxMagnitude<double>(gradient)) <= tolerance) return step;
            Direct(gradient, past, curvature, way);
            var slope = TensorPrimitives.Dot<double>(way, gradient);
            // Nothing is known of the curvature yet: not farther than 1.
            var size = past.Count > 0 ? 1 : Math.Min(1, 1 / TensorPrimitives.Norm<double>(way));
            if (!TryStep(function, place, value, way, slope, size, next, nextGradient, out var found)) return step;
            var (moved, turned) = (new double[place.Length], new double[place.Length]);
            TensorPrimitives.Subtract<double>(next, place, moved);
            TensorPrimitives.Subtract<double>(nextGradient, gradient, turned);
            var curve = TensorPrimitives.Dot<double>(moved, turned);
            if (curve > 0)
            {
                past.AddLast((moved, turned, curve));
                if (past.Count > Remembered) past.RemoveFirst();
            }

            next.CopyTo(place, 0);
            nextGradient.CopyTo(gradient, 0);
            value = found;
        }

        return MaxSteps;
    }

    /// <summary>Down the gradient, as the curvature that was met on the way bends it.</summary>
    private static void Direct(double[] gradient, LinkedList<(double[] Moved, double[] Turned, double Curve)> past, Curvature? curvature,
        double[] way)
    {
        TensorPrimitives.Negate<double>(gradient, way);
        Stack<double> shares = new();
        for (var one = past.Last; one is not null; one = one.Previous)
        {
            var share = TensorPrimitives.Dot<double>(one.Value.Moved, way) / one.Value.Curve;
            TensorPrimitives.MultiplyAdd<double>(one.Value.Turned, -share, way, way);
            shares.Push(share);
        }

        curvature?.Straighten(way);
        if (past.Last is { Value: var last })
        {
            double[] turned = [.. last.Turned];
            curvature?.Straighten(turned);
            TensorPrimitives.Multiply<double>(way, last.Curve / TensorPrimitives.Dot<double>(last.Turned, turned), way);
        }

        for (var one = past.First; one is not null; one = one.Next)
        {
            var share = TensorPrimitives.Dot<double>(one.Value.Turned, way) / one.Value.Curve;
            TensorPrimitives.MultiplyAdd<double>(one.Value.Moved, shares.Pop() - share, way, way);
        }
    }

    /// <summary>Whether there is a step that goes down: there is none once rounding hides the descent.</summary>
    private static bool TryStep(SmoothFunction function, double[] place, double value, double[] way, double slope, double size, double[] next,
        double[] nextGradient, out double found)
    {
        var (least, most) = (0d, double.PositiveInfinity);
        found = value;
        for (var trial = 0; trial < MaxTrials && slope < 0; trial++)
        {
            TensorPrimitives.MultiplyAdd<double>(way, size, place, next);
            found = function(next, nextGradient);
            if (!(found <= value + (Descent * size * slope))) most = size;
            else if (TensorPrimitives.Dot<double>(way, nextGradient) < Flatness * slope) least = size;
            else return true;
            size = double.IsPositiveInfinity(most) ? 2 * least : (least + most) / 2;
        }

        return false;
    }
}
