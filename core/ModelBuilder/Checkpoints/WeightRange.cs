using System.Numerics.Tensors;
using R1Serverless.Models;

namespace R1Serverless.ModelBuilder.Checkpoints;

/// <summary>Looks at every weight before any is written: one that is no number would be found by nobody in a quantised graph.</summary>
internal static class WeightRange
{
    private const int Piece = 1 << 20;

    /// <param name="weights">All that the graphs are made from.</param>
    /// <param name="isHalf">Whether one of the graphs holds them as float16.</param>
    /// <param name="cancellation">Stops between two pieces of a tensor.</param>
    /// <exception cref="InvalidModelException">A weight is NaN, infinite or beyond float16; the message names its tensor.</exception>
    public static void Check(IEnumerable<CheckpointTensor> weights, bool isHalf, CancellationToken cancellation)
    {
        var values = new float[Piece];
        foreach (var weight in weights)
        {
            var elements = weight.Shape.Aggregate(1L, (product, size) => product * size);
            for (var first = 0L; first < elements; first += Piece)
            {
                cancellation.ThrowIfCancellationRequested();
                var piece = values.AsSpan(0, (int)Math.Min(Piece, elements - first));
                weight.Read(first, piece);
                if (Fault(TensorPrimitives.MaxMagnitude<float>(piece), isHalf) is { } fault)
                    throw new InvalidModelException($"{weight.File.Path}: tensor {weight.Tensor.Name} holds {fault}.");
            }
        }
    }

    /// <param name="furthest">From zero; NaN where any is.</param>
    private static string? Fault(float furthest, bool isHalf) =>
        !float.IsFinite(furthest) ? $"{furthest}, which is no finite number: the file is damaged, or its training failed"
        : isHalf && MathF.Abs(furthest) > (float)Half.MaxValue ? $"{furthest}, which has no value in float16: build the model without fp16"
        : null;
}
