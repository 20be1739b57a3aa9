using CsCheck;
using R1Serverless.Engine.Evaluation;

namespace R1Serverless.Tests.Engine;

public sealed class DivergenceTests
{
    private static readonly float[] HalfAndQuarters = [MathF.Log(0.5f), MathF.Log(0.25f), MathF.Log(0.25f)];

    [Fact]
    public void It_is_what_the_definition_gives()
    {
        // 1/2 ln((1/2)/(1/3)) + 2 · 1/4 ln((1/4)/(1/3)); and the other way round it is another number.
        var expected = (0.5 * Math.Log(1.5)) + (0.5 * Math.Log(0.75));
        Assert.Equal(expected, Between(HalfAndQuarters, [0, 0, 0]), 1e-7);
        var reversed = (Math.Log(2.0 / 3) + (2 * Math.Log(4.0 / 3))) / 3;
        Assert.Equal(reversed, Between([0, 0, 0], HalfAndQuarters), 1e-7);
    }

    [Fact]
    public void What_is_added_to_all_logits_changes_nothing() => Assert.Equal(0, Between([1, 2, 3], [1001, 1002, 1003]), 1e-12);

    [Fact]
    public void Large_logits_do_not_overflow() => Assert.Equal(Math.Log(2), Between([3e38f, -3e38f], [3e38f, 3e38f]), 1e-9);

    [Fact]
    public void A_token_that_is_impossible_on_one_side_has_no_weight_there() =>
        Assert.Equal(Math.Log(2), Between([0, float.NegativeInfinity], [0, 0]), 1e-9);

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Logits_without_sense_count_the_most(float broken)
    {
        Assert.Equal(Divergence.Most, Between([0, 1], [0, broken]));
        Assert.Equal(Divergence.Most, Between([broken, 1], [0, 1]));
    }

    [Fact]
    public void A_token_that_the_other_rules_out_counts_the_most() => Assert.Equal(Divergence.Most, Between([0, 0], [0, float.NegativeInfinity]));

    /// <summary>Two variants are close: what single precision would round away is what is measured.</summary>
    [Fact]
    public void Small_differences_are_not_lost()
    {
        const float Difference = 1e-2f;
        var reference = new float[100_000];
        var other = new float[reference.Length];
        other[0] = Difference;
        // To the second order: half the variance of the difference under the reference.
        var expected = 0.5 * Difference * Difference / reference.Length;
        Assert.Equal(1, Between(reference, other) / expected, 1e-2);
    }

    [Fact]
    public void It_is_never_negative_and_zero_only_to_itself() =>
        Gen.Select(Logits, Logits).Sample((a, b) =>
        {
            var (divergence, itself) = (Between(a, b), Between(a, a));
            return divergence is >= 0 and <= Divergence.Most && itself == 0;
        });

    private static Gen<float[]> Logits => Gen.Single[-30, 30].Array[17];

    private static double Between(float[] reference, float[] other) => new Divergence(reference.Length).Between(reference, other);
}
