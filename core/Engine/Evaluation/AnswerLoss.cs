using System.Numerics.Tensors;
using R1Serverless.Engine.Tensors;
using Tensor = R1Serverless.Abstractions.Tensors.Tensor;

namespace R1Serverless.Engine.Evaluation;

/// <summary>How far a variant's answers over tensors are from the most exact variant's, summed over the rows of all answers. Where labels or classes
/// differ, that is a difference; but what is lost of the accuracy is less, as the exact variant is not always right either. By its own probabilities
/// it is right with that of its label, and the other variant with that of the other label: what lies between them is lost.</summary>
internal sealed class AnswerLoss
{
    private readonly AnswerMeasure _measure;
    private double _loss, _difference;
    private long _rows;

    public AnswerLoss(AnswerMeasure measure) => _measure = measure;

    /// <summary>The share of the accuracy that is lost, as far as the exact variant's probabilities tell, 0 to 1; the mean over the rows.</summary>
    public double Mean => _rows == 0 ? 0 : _loss / _rows;

    /// <summary>1 where all answers are equal, 0 where none is; the mean over the rows.</summary>
    public double Agreement => _rows == 0 ? 1 : 1 - (_difference / _rows);

    /// <summary>Compares one answer: by the label with the greatest score, or by what is read (the edit distance over the length of the longer
    /// sequence), or else by the angle between vectors (1 - cosine), or by the relative difference of single numbers; outputs of whole numbers and
    /// texts by equality. What is neither label nor sequence has no probabilities: the whole difference is lost.</summary>
    /// <param name="exact">The most exact variant's outputs.</param>
    /// <param name="other">The same outputs of the other variant.</param>
    public void Add(IReadOnlyList<Tensor> exact, IReadOnlyList<Tensor> other)
    {
        var at = AnswerMeasures.OutputOf(exact);
        if (at < 0 || !exact[at].Shape.SequenceEqual(other[at].Shape))
        {
            Add(exact.Zip(other).All(pair => pair.First.Data.Span.SequenceEqual(pair.Second.Data.Span)) ? 0 : 1, 1);
            return;
        }

        float[] one = TensorNumbers.Of(exact[at]), two = TensorNumbers.Of(other[at]);
        var rows = exact[at].Shape is [var first, _, ..] ? (int)first : 1;
        if (one.Length == 0) return;
        var length = one.Length / rows;
        var classes = _measure == AnswerMeasure.Sequence && exact[at].Shape is [_, _, var last] ? (int)last : 0;
        for (var row = 0; row < rows; row++)
        {
            ReadOnlySpan<float> own = one.AsSpan(row * length, length), others = two.AsSpan(row * length, length);
            if (classes > 0) AddSequence(own, others, classes);
            else if (_measure == AnswerMeasure.Label && length > 1) Add(IsSame(own, others) ? 0 : 1, Gap(own, others));
            else Add(Distance(own, others), 1);
        }
    }

    private void Add(double difference, double share)
    {
        _difference += difference;
        _loss += difference * share;
        _rows++;
    }

    private void AddSequence(ReadOnlySpan<float> exact, ReadOnlySpan<float> other, int classes)
    {
        var blank = AnswerMeasures.BlankOf(exact, classes);
        int[] one = AnswerMeasures.Read(exact, classes, blank), two = AnswerMeasures.Read(other, classes, blank);
        var (gaps, steps) = (0.0, 0);
        for (var at = 0; at < exact.Length; at += classes)
        {
            ReadOnlySpan<float> own = exact.Slice(at, classes), others = other.Slice(at, classes);
            if (IsSame(own, others)) continue;
            gaps += Gap(own, others);
            steps++;
        }

        Add((double)EditDistance.Of<int>(one, two) / Math.Max(1, Math.Max(one.Length, two.Length)), steps == 0 ? 0 : gaps / steps);
    }

    private static bool IsSame(ReadOnlySpan<float> exact, ReadOnlySpan<float> other) =>
        TensorPrimitives.IndexOfMax(exact) == TensorPrimitives.IndexOfMax(other);

    /// <summary>By how much the exact variant thinks its label likelier than the other variant's.</summary>
    private static double Gap(ReadOnlySpan<float> exact, ReadOnlySpan<float> other)
    {
        int own = TensorPrimitives.IndexOfMax(exact), others = TensorPrimitives.IndexOfMax(other);
        if (AnswerMeasures.IsDistribution(exact)) return exact[own] - exact[others];
        // Scores, or logarithms of probabilities.
        var (greatest, sum) = (exact[own], 0.0);
        foreach (var score in exact) sum += Math.Exp(score - greatest);
        var gap = (1 - Math.Exp(exact[others] - greatest)) / sum;
        return double.IsFinite(gap) ? gap : 1;
    }

    private static double Distance(ReadOnlySpan<float> exact, ReadOnlySpan<float> other)
    {
        if (exact.SequenceEqual(other)) return 0;
        var loss = exact.Length == 1 ? Math.Abs(exact[0] - other[0]) / Math.Max(Math.Abs(exact[0]), 1e-6f)
            : 1 - TensorPrimitives.CosineSimilarity(exact, other);
        return float.IsNaN(loss) ? 1 : Math.Clamp(loss, 0, 1);
    }
}
