using System.Numerics.Tensors;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Engine.Tensors;
using Tensor = R1Serverless.Abstractions.Tensors.Tensor;

namespace R1Serverless.Engine.Evaluation;

/// <summary>How far a variant's answers over tensors are from the most exact variant's, summed over the rows of all answers.</summary>
internal sealed class AnswerLoss
{
    private readonly bool _isOfLabels;
    private double _loss;
    private long _rows;

    /// <param name="isOfLabels">Whether the answers are a score for each label.</param>
    public AnswerLoss(bool isOfLabels) => _isOfLabels = isOfLabels;

    /// <summary>0 where all answers are equal, 1 where none is; the mean over the rows.</summary>
    public double Mean => _rows == 0 ? 0 : _loss / _rows;

    /// <summary>Compares one answer: by the label with the greatest score, or else by the angle between vectors (1 - cosine), or by the relative
    /// difference of single numbers; outputs of whole numbers and texts by equality.</summary>
    /// <param name="exact">The most exact variant's outputs.</param>
    /// <param name="other">The same outputs of the other variant.</param>
    public void Add(IReadOnlyList<Tensor> exact, IReadOnlyList<Tensor> other)
    {
        var at = exact.ToList().FindIndex(output => output.Type != TensorType.UInt8 && TensorNumbers.CanRead(output.Type));
        if (at < 0 || !exact[at].Shape.SequenceEqual(other[at].Shape))
        {
            _loss += exact.Zip(other).All(pair => pair.First.Data.Span.SequenceEqual(pair.Second.Data.Span)) ? 0 : 1;
            _rows++;
            return;
        }

        float[] one = TensorNumbers.Of(exact[at]), two = TensorNumbers.Of(other[at]);
        var rows = exact[at].Shape is [var first, _, ..] ? (int)first : 1;
        if (one.Length == 0) return;
        var length = one.Length / rows;
        for (var row = 0; row < rows; row++) _loss += Of(one.AsSpan(row * length, length), two.AsSpan(row * length, length));
        _rows += rows;
    }

    private double Of(ReadOnlySpan<float> exact, ReadOnlySpan<float> other)
    {
        if (_isOfLabels && exact.Length > 1) return TensorPrimitives.IndexOfMax(exact) == TensorPrimitives.IndexOfMax(other) ? 0 : 1;
        if (exact.SequenceEqual(other)) return 0;
        var loss = exact.Length == 1 ? Math.Abs(exact[0] - other[0]) / Math.Max(Math.Abs(exact[0]), 1e-6f)
            : 1 - TensorPrimitives.CosineSimilarity(exact, other);
        return float.IsNaN(loss) ? 1 : Math.Clamp(loss, 0, 1);
    }
}
