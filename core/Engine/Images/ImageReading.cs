using R1Serverless.Abstractions.Tensors;
using R1Serverless.Abstractions.Threading;
using R1Serverless.Images;
using R1Serverless.Models.Images;

namespace R1Serverless.Engine.Images;

/// <summary>Makes a graph's input of encoded images: on threads of the pool, few at a time in this process. One core stays free for requests, as a
/// large image takes most of a second, and the number bounds the memory: 8 bytes for each pixel of each.</summary>
internal static class ImageReading
{
    private const int MostAtOnce = 8;

    private static readonly SemaphoreSlim Turns = new(Math.Clamp(Environment.ProcessorCount - 1, 1, MostAtOnce));

    /// <summary>The smallest PNG there is: a black pixel.</summary>
    private const string Pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==";

    /// <summary>Loads the decoder and compiles what follows it, so that the first request does not wait for that.</summary>
    public static void Warm(ImageSettings settings, TensorType type) => Read(System.Text.Encoding.ASCII.GetBytes(Pixel), settings, type, default);

    /// <param name="content">An image in one of the forms of <see cref="EncodedImage"/>.</param>
    /// <param name="type">Of the graph's input.</param>
    /// <param name="cancellationToken">Ends it between steps and rows; what a codec has begun goes on to its end.</param>
    /// <returns>One row, or what is wrong in words to say after "the image".</returns>
    public static async Task<(Tensor? Row, string? Fault)> ReadAsync(ReadOnlyMemory<byte> content, ImageSettings settings, TensorType type,
        CancellationToken cancellationToken)
    {
        using var turn = await Turns.EnterAsync(cancellationToken);
        return await Task.Run(() => Read(content, settings, type, cancellationToken), cancellationToken);
    }

    private static (Tensor?, string?) Read(ReadOnlyMemory<byte> content, ImageSettings settings, TensorType type,
        CancellationToken cancellationToken)
    {
        var limits = ImageLimits.Default;
        var file = EncodedImage.Read(content, limits, out var fault);
        if (fault is not null || ImageDecoder.Decode(file.Span, limits, out fault) is not { } image) return (null, fault);
        cancellationToken.ThrowIfCancellationRequested();
        return (ImageTensor.Of(image, settings, type, limits, out fault, cancellationToken), fault);
    }
}
