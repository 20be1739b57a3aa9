using System.Runtime.Intrinsics;
using R1Serverless.Models.Images;

namespace R1Serverless.Images;

/// <summary>
/// Resizes as Pillow does, to the bit: Image.resize for 8-bit images,
/// https://github.com/python-pillow/Pillow/blob/main/src/libImaging/Resample.c. Each pixel is a weighted sum of those under a window that grows with
/// the reduction; first along rows, then along columns, with sums rounded to 8 bits after each.
/// </summary>
public static class Resampler
{
    /// <summary>Fraction bits of a weight: 32 less 8 of a value and 2 for sums beyond it, as weights may be negative.</summary>
    private const int WeightBits = 22;

    /// <summary>A part of a resized image.</summary>
    /// <param name="width">Of the whole resized image, at least 1.</param>
    /// <param name="height">Likewise.</param>
    /// <param name="part">What of it is made, at least a pixel and not beyond its edges.</param>
    /// <param name="cancellationToken">Looked at once a row.</param>
    public static PixelImage Resize(PixelImage image, int width, int height, ResampleFilter filter, ImagePart part,
        CancellationToken cancellationToken = default)
    {
        if (filter == ResampleFilter.Nearest) return Pick(image, width, height, part);
        Weights? across = width == image.Width ? null : Weights.Of(image.Width, width, part.Left, part.Width, filter),
            down = height == image.Height ? null : Weights.Of(image.Height, height, part.Top, part.Height, filter);
        // Rows that the second pass looks at.
        var (top, rows) = down is null ? (part.Top, part.Height) : (down.First[0], down.First[^1] + down.Count[^1] - down.First[0]);
        var narrow = across is null ? Cut(image, part.Left, top, part.Width, rows) : Across(image, across, top, rows, cancellationToken);
        return down is null ? narrow : Down(narrow, down, top, cancellationToken);
    }

    private static PixelImage Cut(PixelImage image, int left, int top, int width, int height)
    {
        if (width == image.Width && height == image.Height) return image;
        var cut = Empty(width, height);
        for (var y = 0; y < height; y++) image.Row(top + y).Slice(left, width).CopyTo(cut.Pixels.AsSpan(y * width, width));
        return cut;
    }

    private static PixelImage Across(PixelImage image, Weights weights, int top, int rows, CancellationToken cancellationToken)
    {
        var result = Empty(weights.First.Length, rows);
        for (var y = 0; y < rows; y++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var from = image.Row(top + y);
            var to = result.Pixels.AsSpan(y * result.Width, result.Width);
            for (var x = 0; x < to.Length; x++)
            {
                var sum = Vector128.Create(1 << (WeightBits - 1));
                var pixels = from.Slice(weights.First[x], weights.Count[x]);
                var own = weights.Of(x);
                for (var i = 0; i < pixels.Length; i++) sum += Widen(pixels[i]) * own[i];
                to[x] = Narrow(sum);
            }
        }

        return result;
    }

    private static PixelImage Down(PixelImage image, Weights weights, int top, CancellationToken cancellationToken)
    {
        var (width, height) = (image.Width, weights.First.Length);
        var result = Empty(width, height);
        var sums = new Vector128<int>[width];
        for (var y = 0; y < height; y++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Array.Fill(sums, Vector128.Create(1 << (WeightBits - 1)));
            var own = weights.Of(y);
            for (var i = 0; i < weights.Count[y]; i++)
            {
                var row = image.Row(weights.First[y] - top + i);
                for (var x = 0; x < sums.Length; x++) sums[x] += Widen(row[x]) * own[i];
            }

            for (var x = 0; x < width; x++) result.Pixels[(y * width) + x] = Narrow(sums[x]);
        }

        return result;
    }

    private static Vector128<int> Widen(uint pixel) =>
        Vector128.WidenLower(Vector128.WidenLower(Vector128.CreateScalarUnsafe(pixel).AsByte())).AsInt32();

    private static uint Narrow(Vector128<int> sums)
    {
        var values = Vector128.Min(Vector128.Max(sums >> WeightBits, Vector128<int>.Zero), Vector128.Create(255));
        return (uint)(values[0] | values[1] << 8 | values[2] << 16);
    }

    private static PixelImage Empty(int width, int height) => new(width, height, GC.AllocateUninitializedArray<uint>(width * height));

    /// <summary>Pillow's ImagingScaleAffine.</summary>
    private static PixelImage Pick(PixelImage image, int width, int height, ImagePart part)
    {
        int[] columns = Nearest(image.Width, width, part.Left, part.Width), rows = Nearest(image.Height, height, part.Top, part.Height);
        var result = Empty(columns.Length, rows.Length);
        for (var y = 0; y < rows.Length; y++)
        {
            var row = image.Row(rows[y]);
            for (var x = 0; x < columns.Length; x++) result.Pixels[(y * columns.Length) + x] = row[columns[x]];
        }

        return result;
    }

    /// <summary>Added up from the first on, with the roundings that this has.</summary>
    private static int[] Nearest(int from, int to, int first, int count)
    {
        var step = (double)from / to;
        var at = step * 0.5;
        var places = new int[count];
        for (var i = 0; i < first + count; i++, at += step)
        {
            if (i >= first) places[i - first] = Math.Min((int)at, from - 1);
        }

        return places;
    }

    /// <summary>What each new pixel along one axis is made of.</summary>
    /// <param name="First">The first old one.</param>
    /// <param name="Count">How many from there on.</param>
    private sealed record Weights(int[] First, int[] Count, int[] All, int Stride)
    {
        public ReadOnlySpan<int> Of(int place) => All.AsSpan(place * Stride, Count[place]);

        public static Weights Of(int from, int to, int first, int count, ResampleFilter filter)
        {
            var scale = (double)from / to;
            var grown = Math.Max(scale, 1);
            var support = ResampleKernel.Support(filter) * grown;
            var stride = ((int)Math.Ceiling(support) * 2) + 1;
            Weights weights = new(new int[count], new int[count], new int[count * stride], stride);
            var exact = new double[stride];
            for (var i = 0; i < count; i++)
            {
                var center = (first + i + 0.5) * scale;
                var least = Math.Max((int)(center - support + 0.5), 0);
                var own = exact.AsSpan(0, Math.Min((int)(center + support + 0.5), from) - least);
                var sum = 0.0;
                for (var k = 0; k < own.Length; k++)
                {
                    own[k] = ResampleKernel.Value(filter, (k + least - center + 0.5) * (1 / grown));
                    sum += own[k];
                }

                (weights.First[i], weights.Count[i]) = (least, own.Length);
                for (var k = 0; k < own.Length; k++)
                {
                    var weight = (sum != 0 ? own[k] / sum : own[k]) * (1 << WeightBits);
                    weights.All[(i * stride) + k] = (int)(weight + (weight < 0 ? -0.5 : 0.5));
                }
            }

            return weights;
        }
    }
}

/// <param name="Left">The first column.</param>
/// <param name="Top">The first row.</param>
public readonly record struct ImagePart(int Left, int Top, int Width, int Height);
