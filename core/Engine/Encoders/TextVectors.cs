using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Models.Encoders;
using Tensor = R1Serverless.Abstractions.Tensors.Tensor;

namespace R1Serverless.Engine.Encoders;

/// <summary>From what a graph gives for one text or image to its vector or its scores. The same numbers alone and in company, as nothing but the
/// text's own tokens is looked at.</summary>
internal static class TextVectors
{
    /// <summary>What sentence-transformers divides by where a length is 0.</summary>
    private const float LeastLength = 1e-12f;

    /// <param name="output">Of one text or image: [1, tokens, numbers] where it is pooled, else [1, numbers]; FP32 or FP16.</param>
    /// <param name="error">Why there is none: a graph that leaves its width free may give another than the folder says.</param>
    public static float[]? TryOf(Tensor output, OutputSettings settings, Prompt.Texts prompt, out InferenceError? error)
    {
        var values = Values(output);
        error = null;
        if (prompt.Task != TextTask.Embed)
        {
            if (values.Length != settings.Labels.Count)
                error = Unfit($"The graph gave {values.Length} scores for the {settings.Labels.Count} labels that config.json names.", "model");
            return error is not null ? null : prompt.RawScores ? values.ToArray() : Activated(values, settings.Activation);
        }

        var vector = settings.Poolings.Count == 0 ? values.ToArray() : Pooled(values, (int)output.Shape[^1], settings.Poolings);
        if (prompt.Dimensions > vector.Length)
        {
            error = Unfit($"'dimensions' must be at most {vector.Length}, the numbers of this model's vectors.", "dimensions");
            return null;
        }

        if (prompt.Dimensions is { } some) vector = vector[..some];
        if (settings.Normalizes) Normalize(vector);
        return vector;
    }

    private static InferenceError Unfit(string message, string field) => new(InferenceErrorKind.InvalidRequest, message, field);

    private static ReadOnlySpan<float> Values(Tensor output)
    {
        if (output.Type == TensorType.Float32) return MemoryMarshal.Cast<byte, float>(output.Data.Span);
        var half = MemoryMarshal.Cast<byte, Half>(output.Data.Span);
        var values = new float[half.Length];
        TensorPrimitives.ConvertToSingle(half, values);
        return values;
    }

    private static float[] Pooled(ReadOnlySpan<float> tokens, int width, IReadOnlyList<Pooling> poolings)
    {
        var vector = new float[width * poolings.Count];
        for (var i = 0; i < poolings.Count; i++) Pool(tokens, poolings[i], vector.AsSpan(i * width, width));
        return vector;
    }

    private static void Pool(ReadOnlySpan<float> tokens, Pooling pooling, Span<float> vector)
    {
        var (width, count) = (vector.Length, tokens.Length / vector.Length);
        switch (pooling)
        {
            case Pooling.Cls:
                tokens[..width].CopyTo(vector);
                break;
            case Pooling.LastToken:
                tokens[^width..].CopyTo(vector);
                break;
            case Pooling.Max:
                tokens[..width].CopyTo(vector);
                for (var token = 1; token < count; token++) TensorPrimitives.Max(vector, tokens.Slice(token * width, width), vector);
                break;
            case Pooling.WeightedMean:
                for (var token = 0; token < count; token++)
                    TensorPrimitives.MultiplyAdd(tokens.Slice(token * width, width), token + 1f, vector, vector);
                TensorPrimitives.Divide(vector, count * (count + 1) / 2f, vector);
                break;
            default:
                for (var token = 0; token < count; token++) TensorPrimitives.Add(vector, tokens.Slice(token * width, width), vector);
                TensorPrimitives.Divide(vector, pooling == Pooling.Mean ? count : MathF.Sqrt(count), vector);
                break;
        }
    }

    private static void Normalize(Span<float> vector) =>
        TensorPrimitives.Divide(vector, Math.Max(TensorPrimitives.Norm<float>(vector), LeastLength), vector);

    private static float[] Activated(ReadOnlySpan<float> scores, ScoreActivation activation)
    {
        var result = scores.ToArray();
        if (activation == ScoreActivation.Sigmoid) TensorPrimitives.Sigmoid(scores, result);
        else if (activation == ScoreActivation.Softmax) Softmax(result);
        return result;
    }

    /// <summary>The greatest is taken off first: the exponential of a large score is beyond what a float holds.</summary>
    private static void Softmax(Span<float> scores)
    {
        TensorPrimitives.Subtract(scores, TensorPrimitives.Max<float>(scores), scores);
        TensorPrimitives.SoftMax(scores, scores);
    }
}
