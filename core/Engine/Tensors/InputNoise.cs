using System.Buffers;
using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Engine.Tensors;

/// <summary>
/// How noisy a request's inputs are: the standard deviation of white noise in images and series, in the unit of the input itself, by the median of
/// their finest details, which hold little else (Donoho and Johnstone, Biometrika 1994, section 5: the median absolute deviation of the diagonal
/// wavelet coefficients, over 0.6745).
/// </summary>
internal static class InputNoise
{
    /// <summary>The median of |x| for a standard normal x.</summary>
    private const double MedianOfNormal = 0.6744897501960817;

    /// <summary>Of a plane so many details are looked at: the estimate's own deviation is 2 % then.</summary>
    private const int MaxDetails = 4096;

    /// <summary>With fewer details it would say nothing.</summary>
    private const int MinDetails = 16;

    /// <summary>A series is told from a list of features by its length.</summary>
    private const int MinSteps = 32;

    /// <summary>Of the noisiest row of all inputs: at least 0, or null where none of them is an image or a series.</summary>
    /// <param name="inputs">Their content fits their shape. Images are [rows, channels, height, width] or [rows, height, width, channels] with 1, 3
    /// or 4 channels; series [rows, steps, features] or [rows, features, steps] with more steps than features.</param>
    public static double? Of(IReadOnlyList<Tensor> inputs) => inputs.Select(Of).Max();

    /// <summary>Whether noise can be measured in, and added to, an input.</summary>
    public static bool IsMeasured(Tensor input) => Planes(input) is not null;

    private static double? Of(Tensor input)
    {
        if (Planes(input) is not { } planes) return null;
        var values = ArrayPool<float>.Shared.Rent((int)(planes.RowLength * planes.Rows));
        try
        {
            TensorNumbers.Read(input, values);
            var noisiest = 0.0;
            for (var row = 0; row < planes.Rows; row++)
            {
                var sum = 0.0;
                for (var channel = 0; channel < planes.Channels; channel++)
                    sum += Of(values.AsSpan((int)(row * planes.RowLength)), planes with { Start = channel * planes.ChannelStride });
                noisiest = Math.Max(noisiest, sum / planes.Channels);
            }

            return double.IsFinite(noisiest) ? noisiest : null;
        }
        finally
        {
            ArrayPool<float>.Shared.Return(values);
        }
    }

    private static double Of(ReadOnlySpan<float> row, PlaneShape shape)
    {
        int down = shape.Height / 2, across = shape.Width / (shape.IsSeries ? 1 : 2);
        var all = shape.IsSeries ? shape.Width - 2 : down * across;
        var count = Math.Min(all, MaxDetails);
        Span<float> details = stackalloc float[MaxDetails];
        for (var i = 0; i < count; i++)
        {
            // Spread evenly over the plane.
            var at = (int)((long)i * all / count);
            details[i] = Math.Abs(shape.IsSeries ? Curvature(row, shape, at) : Diagonal(row, shape, at / across * 2, at % across * 2));
        }

        details = details[..count];
        details.Sort();
        return (details[(count - 1) / 2] + details[count / 2]) / 2 / MedianOfNormal;
    }

    /// <summary>The diagonal detail of Haar's wavelet: of white noise it has the noise's own deviation, of edges along an axis nothing.</summary>
    private static float Diagonal(ReadOnlySpan<float> row, PlaneShape shape, int y, int x)
    {
        var at = shape.Start + (y * shape.Width * shape.Stride) + (x * shape.Stride);
        var below = at + (shape.Width * shape.Stride);
        return (row[at] - row[at + shape.Stride] - row[below] + row[below + shape.Stride]) / 2;
    }

    /// <summary>The second difference, with the noise's own deviation; of a slope it has nothing.</summary>
    private static float Curvature(ReadOnlySpan<float> row, PlaneShape shape, int at)
    {
        var first = shape.Start + (at * shape.Stride);
        return (row[first] - (2 * row[first + shape.Stride]) + row[first + (2 * shape.Stride)]) / MathF.Sqrt(6);
    }

    /// <summary>Null where it is neither an image nor a series.</summary>
    private static PlaneShape? Planes(Tensor input)
    {
        if (!TensorNumbers.CanRead(input.Type) || Tensor.Elements(input.Shape) is not (> 0 and <= int.MaxValue)) return null;
        int[] shape = [.. input.Shape.Select(dimension => (int)dimension)];
        return shape switch
        {
            [var n, (1 or 3 or 4) and var c, var h, var w] when (h / 2) * (w / 2) >= MinDetails => new(n, c, h, w, h * w, 1),
            [var n, var h, var w, (1 or 3 or 4) and var c] when (h / 2) * (w / 2) >= MinDetails => new(n, c, h, w, 1, c),
            [var n, var steps, var features] when steps >= MinSteps && steps > features => new(n, features, 1, steps, 1, features),
            [var n, var features, var steps] when steps >= MinSteps && steps > features => new(n, features, 1, steps, steps, 1),
            _ => null,
        };
    }

    /// <summary>How the planes of a row lie in it: images, or series as planes of one line.</summary>
    private readonly record struct PlaneShape(int Rows, int Channels, int Height, int Width, int ChannelStride, int Stride)
    {
        public long RowLength => (long)Channels * Height * Width;

        public bool IsSeries => Height == 1;

        public int Start { get; init; }
    }
}
