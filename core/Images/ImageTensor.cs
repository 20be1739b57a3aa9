using System.Runtime.InteropServices;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Models.Images;

namespace R1Serverless.Images;

/// <summary>Makes a graph's input of one image, with the numbers that transformers' image processors make of it.</summary>
public static class ImageTensor
{
    private const int Channels = 3, Levels = 256;

    /// <summary>A tensor [1, 3, height, width], or [1, height, width, 3].</summary>
    /// <param name="type">FP32, FP16, or UINT8 where the steps keep bytes.</param>
    /// <param name="fault">What is wrong, in words to say after "the image"; null where nothing is.</param>
    public static Tensor? Of(PixelImage image, ImageSettings settings, TensorType type, ImageLimits limits, out string? fault,
        CancellationToken cancellationToken = default)
    {
        fault = null;
        var steps = settings.Steps;
        var (width, height) = steps.Resize?.SizeOf(image.Width, image.Height) ?? (image.Width, image.Height);
        if (width > limits.MaxPixels || height > limits.MaxPixels || width * height > limits.MaxPixels)
        {
            fault = $"of {image.Width} × {image.Height} pixels would be resized to {width} × {height}; at most {limits.MaxPixels} pixels are made";
            return null;
        }

        var size = steps.Crop ?? new ImageSize((int)width, (int)height);
        // Where the image is smaller than what is kept of it, it lies in its middle: what it begins at is then before 0.
        int left = Middle((int)width, size.Width), top = Middle((int)height, size.Height);
        ImagePart part = new(Math.Max(left, 0), Math.Max(top, 0), Math.Min(size.Width, (int)width), Math.Min(size.Height, (int)height));
        var filter = steps.Resize?.Filter ?? ResampleFilter.Nearest;
        var pixels = Resampler.Resize(image, (int)width, (int)height, filter, part, cancellationToken);
        ImagePart place = new(Math.Max(-left, 0), Math.Max(-top, 0), part.Width, part.Height);
        var data = type switch
        {
            TensorType.Float32 => Fill<float>(pixels, size, place, settings, value => value),
            TensorType.Float16 => Fill<Half>(pixels, size, place, settings, value => (Half)value),
            TensorType.UInt8 => Fill<byte>(pixels, size, place, settings, value => (byte)value),
            _ => throw new ArgumentOutOfRangeException(nameof(type)),
        };
        long[] shape = settings.IsChannelsLast ? [1, size.Height, size.Width, Channels] : [1, Channels, size.Height, size.Width];
        return new Tensor(settings.Input, type, shape, data);
    }

    /// <summary>Halves are rounded down, also below 0.</summary>
    private static int Middle(int length, int kept) => (length - kept) >> 1;

    /// <param name="place">Where the pixels lie in the tensor; around them is black.</param>
    private static byte[] Fill<T>(PixelImage image, ImageSize size, ImagePart place, ImageSettings settings, Converter<float, T> convert)
        where T : unmanaged
    {
        var bytes = new byte[size.Width * size.Height * Channels * Marshal.SizeOf<T>()];
        var values = MemoryMarshal.Cast<byte, T>(bytes.AsSpan());
        var (pixelStep, channelStep) = settings.IsChannelsLast ? (Channels, 1) : (1, size.Width * size.Height);
        for (var channel = 0; channel < Channels; channel++)
        {
            // Blue first: the third value is made as the third channel's would be, and then stands first.
            var to = values[((settings.Steps.IsBlueFirst ? Channels - 1 - channel : channel) * channelStep)..];
            var levels = Array.ConvertAll(LevelsOf(settings.Steps, channel), convert);
            if (place.Width < size.Width || place.Height < size.Height)
            {
                for (var i = 0; i < size.Width * size.Height; i++) to[i * pixelStep] = levels[0];
            }

            for (var y = 0; y < place.Height; y++)
            {
                var at = (((place.Top + y) * size.Width) + place.Left) * pixelStep;
                foreach (var pixel in image.Row(y))
                {
                    to[at] = levels[(pixel >> (8 * channel)) & 255];
                    at += pixelStep;
                }
            }
        }

        return bytes;
    }

    /// <summary>What each value from 0 to 255 becomes, in the roundings of numpy: rescaled in double, normalized in single precision.</summary>
    private static float[] LevelsOf(ImageSteps steps, int channel)
    {
        var levels = new float[Levels];
        for (var i = 0; i < Levels; i++)
        {
            var value = steps.Factor is { } factor ? (float)(i * factor) : i;
            if (steps.TakesOffOne) value -= 1;
            if (steps.Mean is { } mean)
            {
                var deviation = (float)steps.Deviation![channel];
                value = (value - (float)mean[channel]) / deviation;
                if (steps.DividesTwice) value /= deviation;
            }

            levels[i] = value;
        }

        return levels;
    }
}
