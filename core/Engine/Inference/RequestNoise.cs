using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Engine.Images;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Tensors;
using R1Serverless.Models.Folders;

namespace R1Serverless.Engine.Inference;

/// <summary>How noisy a request's inputs are, measured before its variant is chosen where that depends on it; and its images, as far as they were
/// read for that.</summary>
internal sealed class RequestNoise
{
    /// <summary>Of more images, so many speak for all.</summary>
    private const int MaxImages = 32;

    private readonly Dictionary<int, Tensor> _rows = [];
    private ModelFolder? _folder;

    /// <summary>See <see cref="InputNoise"/>; null where it does not count, or there is none.</summary>
    public double? Sigma { get; private set; }

    /// <param name="tensors">The request's, where it has tensors.</param>
    /// <param name="images">The request's, where it has images.</param>
    public static async Task<RequestNoise> OfAsync(ModelHost host, InferenceRequest request, IReadOnlyList<Tensor> tensors,
        IReadOnlyList<ReadOnlyMemory<byte>> images, CancellationToken cancellationToken)
    {
        RequestNoise noise = new();
        if (!host.CountsNoise(request.Model, request.Precision) || host.Find(request.Model) is not var (folder, _)) return noise;
        if (folder is { Images: { } settings, Signature.Inputs: [{ Type: var type }] })
        {
            noise._folder = folder;
            var count = Math.Min(images.Count, MaxImages);
            for (var i = 0; i < count; i++)
            {
                // Evenly from all; what can't be read is told when it is run.
                var at = (int)((long)i * images.Count / count);
                if ((await ImageReading.ReadAsync(images[at], settings, type, cancellationToken)).Row is { } row) noise._rows[at] = row;
            }
        }

        noise.Sigma = InputNoise.Of([.. tensors, .. noise._rows.Values]);
        return noise;
    }

    /// <summary>An image's row, where it was read, and as this folder reads images.</summary>
    public Tensor? Row(int image, ModelFolder folder) => folder == _folder ? _rows.GetValueOrDefault(image) : null;
}
