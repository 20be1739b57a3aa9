using System.Numerics.Tensors;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Engine.Tensors;
using Tensor = R1Serverless.Abstractions.Tensors.Tensor;

namespace R1Serverless.Engine.Evaluation;

/// <summary>What answers over tensors are compared by.</summary>
public enum AnswerMeasure
{
    /// <summary>The angle between vectors.</summary>
    Direction,

    /// <summary>The label with the greatest score.</summary>
    Label,

    /// <summary>What is read: of [rows, steps, classes], the likeliest class of each step, repetitions and blanks left out, as recognition of texts
    /// and speech has it (Graves et al., Connectionist Temporal Classification, ICML 2006).</summary>
    Sequence,
}

/// <summary>Tells what a graph's outputs are.</summary>
internal static class AnswerMeasures
{
    /// <summary>With fewer classes there is nothing but a blank and another one.</summary>
    private const int MinClasses = 3;

    /// <summary>How far the sum of a distribution may be from 1, in half precision too.</summary>
    private const float Tolerance = 0.02f;

    private static readonly string[] Scores = ["logits", "prob", "score"];

    /// <summary>The output that is compared; -1 where all are compared for equality.</summary>
    public static int OutputOf(IReadOnlyList<Tensor> outputs) =>
        outputs.Index().Where(one => one.Item.Type != TensorType.UInt8 && TensorNumbers.CanRead(one.Item.Type)).Select(one => one.Index)
            .FirstOrDefault(-1);

    /// <param name="isNoisy">Whether the inputs are images or series.</param>
    public static AnswerMeasure Of(IReadOnlyList<Tensor> outputs, bool isNoisy)
    {
        if (outputs[0] is { Shape: [_, > 1] } first && Scores.Any(word => first.Name.Contains(word, StringComparison.OrdinalIgnoreCase)))
            return AnswerMeasure.Label;
        return isNoisy && OutputOf(outputs) is >= 0 and var at && AreDistributions(outputs[at]) ? AnswerMeasure.Sequence : AnswerMeasure.Direction;
    }

    /// <summary>The classes that are read of one row: [steps, classes].</summary>
    /// <param name="blank">The class that stands for nothing.</param>
    public static int[] Read(ReadOnlySpan<float> row, int classes, int blank)
    {
        List<int> read = [];
        var before = blank;
        foreach (var next in Likeliest(row, classes))
        {
            if (next != before && next != blank) read.Add(next);
            before = next;
        }

        return [.. read];
    }

    /// <summary>Of the first and the last class, one of which is the blank in all libraries, the one that is likeliest more often.</summary>
    public static int BlankOf(ReadOnlySpan<float> row, int classes)
    {
        var steps = Likeliest(row, classes);
        return steps.Count(one => one == classes - 1) > steps.Count(one => one == 0) ? classes - 1 : 0;
    }

    private static int[] Likeliest(ReadOnlySpan<float> row, int classes)
    {
        var steps = new int[row.Length / classes];
        for (var step = 0; step < steps.Length; step++) steps[step] = TensorPrimitives.IndexOfMax(row.Slice(step * classes, classes));
        return steps;
    }

    /// <summary>Whether numbers are probabilities that add up to 1.</summary>
    public static bool IsDistribution(ReadOnlySpan<float> numbers) =>
        TensorPrimitives.Min(numbers) >= 0 && MathF.Abs(TensorPrimitives.Sum(numbers) - 1) < Tolerance;

    /// <summary>Whether each step has probabilities, or their logarithms.</summary>
    private static bool AreDistributions(Tensor output)
    {
        if (output.Shape is not [_, > 1, >= MinClasses and var classes]) return false;
        var numbers = TensorNumbers.Of(output);
        if (TensorPrimitives.Max(numbers) <= 0) TensorPrimitives.Exp(numbers, numbers);
        for (var at = 0; at < numbers.Length; at += (int)classes)
        {
            if (!IsDistribution(numbers.AsSpan(at, (int)classes))) return false;
        }

        return numbers.Length > 0;
    }
}
