using CsCheck;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Engine.Evaluation;
using R1Serverless.Tests.Engine.Tensors;

namespace R1Serverless.Tests.Engine;

/// <summary>How far answers are from each other, by what they are.</summary>
public sealed class AnswerLossTests
{
    private const int Classes = 4;

    [Theory]
    [InlineData("0110020330", "0100202033", 0.25)]
    [InlineData("0110020330", "1111002003", 0)]
    [InlineData("000", "000", 0)]
    [InlineData("000", "010", 1)]
    [InlineData("1020", "3030", 1)]
    public void Sequences_are_compared_by_what_is_read(string exact, string other, double loss)
    {
        AnswerLoss sum = new(AnswerMeasure.Sequence);
        sum.Add([Steps(exact)], [Steps(other)]);
        Assert.Equal(1 - loss, sum.Agreement, 1e-9);
        // Each step is given 0.7 for its class and 0.1 for the others.
        Assert.Equal(loss * 0.6, sum.Mean, 1e-6);
    }

    /// <summary>What the exact variant hardly tells apart costs little to mistake.</summary>
    [Theory]
    [InlineData(0, 2)]
    [InlineData(1, 2)]
    [InlineData(1, 0)]
    public void A_label_costs_what_the_exact_variant_thinks_it_less_likely(int exact, int other)
    {
        float[][] scores = [[2, 1.9f, -1], [1.9f, 2, -1], [-1, 0, 3]];
        AnswerLoss sum = new(AnswerMeasure.Label);
        sum.Add([TensorFolder.Floats("logits", [1, 3], scores[exact])], [TensorFolder.Floats("logits", [1, 3], scores[other])]);
        var probabilities = scores[exact].Select(score => Math.Exp(score) / scores[exact].Sum(one => Math.Exp(one))).ToArray();
        int own = Array.IndexOf(scores[exact], scores[exact].Max()), others = Array.IndexOf(scores[other], scores[other].Max());
        Assert.Equal(probabilities[own] - probabilities[others], sum.Mean, 1e-6);
        Assert.Equal(0, sum.Agreement);
    }

    [Fact]
    public void The_last_class_is_the_blank_where_it_is_more_frequent_than_the_first()
    {
        AnswerLoss sum = new(AnswerMeasure.Sequence);
        // Read as 0 1 0 and 0 0.
        sum.Add([Steps("3033133303")], [Steps("3033033333")]);
        Assert.Equal(2.0 / 3, sum.Agreement, 1e-9);
    }

    [Fact]
    public void Rows_count_alike()
    {
        AnswerLoss sum = new(AnswerMeasure.Sequence);
        sum.Add([Steps("0102", "0102")], [Steps("0102", "0103")]);
        Assert.Equal(0.75, sum.Agreement, 1e-9);
    }

    [Fact]
    public void A_sequence_is_told_by_a_distribution_for_each_step_of_an_image_or_a_series()
    {
        var steps = Steps("0102");
        Assert.Equal(AnswerMeasure.Sequence, AnswerMeasures.Of([steps], isNoisy: true));
        Assert.Equal(AnswerMeasure.Sequence, AnswerMeasures.Of([Logarithms(steps)], isNoisy: true));
        Assert.Equal(AnswerMeasure.Direction, AnswerMeasures.Of([steps], isNoisy: false));
        Assert.Equal(AnswerMeasure.Direction, AnswerMeasures.Of([TensorFolder.Floats("y", [1, 2, 3], 1, 2, 3, 4, 5, 6)], isNoisy: true));
        Assert.Equal(AnswerMeasure.Direction, AnswerMeasures.Of([TensorFolder.Floats("y", [1, 2, 2], 0, 1, 1, 0)], isNoisy: true));
        Assert.Equal(AnswerMeasure.Label, AnswerMeasures.Of([TensorFolder.Floats("logits", [1, 2], 0, 1)], isNoisy: true));
    }

    /// <summary>As a metric: so the rates of errors of two readings differ by no more than what lies between them.</summary>
    [Fact]
    public void The_edit_distance_is_a_metric()
    {
        var text = Gen.Int[0, 2].Array[0, 7];
        Gen.Select(text, text, text).Sample((a, b, c) =>
        {
            int ab = EditDistance.Of<int>(a, b), bc = EditDistance.Of<int>(b, c), ac = EditDistance.Of<int>(a, c);
            Assert.Equal(ab, EditDistance.Of<int>(b, a));
            Assert.Equal(a.SequenceEqual(b), ab == 0);
            Assert.InRange(ab, Math.Abs(a.Length - b.Length), Math.Max(a.Length, b.Length));
            Assert.True(ac <= ab + bc);
        }, iter: 2000);
        Assert.Equal(3, EditDistance.Of<char>("kitten", "sitting"));
    }

    /// <summary>Rows of probabilities whose likeliest classes are the digits.</summary>
    private static Tensor Steps(params string[] rows) => TensorFolder.Floats("softmax", [rows.Length, rows[0].Length, Classes],
        [.. rows.SelectMany(row => row).SelectMany(digit => Enumerable.Range(0, Classes).Select(one => one == digit - '0' ? 0.7f : 0.1f))]);

    private static Tensor Logarithms(Tensor probabilities) =>
        TensorFolder.Floats("y", [.. probabilities.Shape], [.. TensorFolder.Floats(probabilities).Select(one => MathF.Log(one))]);
}
