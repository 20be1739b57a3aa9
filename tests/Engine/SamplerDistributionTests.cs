using CsCheck;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Sampling;
using R1Serverless.Models;

namespace R1Serverless.Tests.Engine;

/// <summary>What the sampler draws against a plain implementation of the definitions, in double precision and with a full sort.</summary>
public sealed class SamplerDistributionTests
{
    private static readonly GenerationDefaults Plain = new() { Temperature = 1, TopP = 1, TopK = 0 };

    private static readonly Gen<SamplingOptions> Options =
        from temperature in Gen.Float[0.2f, 2f]
        from topP in Gen.OneOf(Gen.Const(1f), Gen.Float[0.01f, 1f])
        from topK in Gen.OneOf(Gen.Const(0), Gen.Int[1, 40], Gen.Int[1, 3000])
        from minP in Gen.OneOf(Gen.Const(0f), Gen.Float[0f, 0.5f])
        select new SamplingOptions { Temperature = temperature, TopP = topP, TopK = topK, MinP = minP };

    /// <summary>Equal, or apart by more than single precision rounds: otherwise the last token of a nucleus is a matter of rounding.</summary>
    private static readonly Gen<float> Step = Gen.Int[-512, 512].Select(i => i / 512f);

    /// <summary>Rows from a handful of tokens to several blocks, with ties, banned tokens, and spreads from nearly flat to nearly certain.</summary>
    private static readonly Gen<float[]> Row =
        from size in Gen.OneOf(Gen.Int[1, 20], Gen.Int[21, 3000])
        from spread in Gen.OneOf(Gen.Const(0.01f), Gen.Const(1f), Gen.Const(4f), Gen.Const(20f))
        from row in Gen.OneOf(Step, Gen.Int[-3, 3].Select(i => i / 3f), Gen.Frequency((9, Step), (1, Gen.Const(float.NegativeInfinity))))
            .Select(v => v * spread).Array[size]
        where row.Max() > float.NegativeInfinity
        select row;

    [Fact]
    public void Draws_what_the_definitions_say() =>
        Gen.Select(Row, Options, Gen.Long).Sample(
            (row, options, seed) =>
            {
                var drawn = new Sampler(options, Plain, row.Length, seed, null).Sample([.. row], new(row.Length)).Id;
                var draw = options.TopK == 1 ? 0 : new RandomStream(seed).Next();
                Assert.Contains(drawn, NaiveDraws(row, options, draw));
            },
            iter: 600);

    [Fact]
    public void Top_k_keeps_the_greatest_and_of_equals_the_lowest_ids() =>
        Gen.Select(Row, Gen.Int[1, 3000]).Sample(
            (row, k) =>
            {
                var ranks = new ulong[row.Length];
                var kept = ranks.AsSpan(0, Selection.Top(row, k, ranks)).ToArray().Select(Rank.Id).Order();
                var expected = Sorted(row).Where(id => row[id] > float.NegativeInfinity).Take(k).Order();
                Assert.Equal(expected, kept);
            },
            iter: 500);

    [Fact]
    public void A_rank_gives_back_value_and_id() =>
        Gen.Select(Gen.Float.Where(f => !float.IsNaN(f)), Gen.Int[0, int.MaxValue], Gen.Float.Where(f => !float.IsNaN(f)))
        .Sample((value, id, other) =>
        {
            Assert.Equal(value, Rank.Value(Rank.Of(value, id)));
            Assert.Equal(id, Rank.Id(Rank.Of(value, id)));
            if (value > other) Assert.True(Rank.Of(value, id) > Rank.Of(other, 0));
        });

    [Theory]
    [InlineData(0.05f, 1)]
    [InlineData(0.5f, 1)]
    [InlineData(0.51f, 2)]
    [InlineData(0.75f, 2)]
    [InlineData(0.76f, 3)]
    [InlineData(0.9999f, 4)]
    public void The_nucleus_is_the_smallest_set_that_reaches_top_p(float topP, int size)
    {
        // Probabilities 1/2, 1/4, 1/8, 1/8 at ids 3, 1, 0, 2.
        float[] row = [MathF.Log(1), MathF.Log(2), MathF.Log(1), MathF.Log(4)];
        int[] order = [3, 1, 0, 2];
        Assert.Equal(order.Take(size).Order(), Support(row, new() { TopP = topP }));
    }

    [Fact]
    public void A_tie_at_the_border_keeps_the_lowest_ids()
    {
        Assert.Equal([0, 1], Support(new float[4], new() { TopP = 0.5f }));
        Assert.Equal([0, 1, 2], Support(new float[4], new() { TopK = 3 }));
    }

    [Fact]
    public void Min_p_is_relative_to_the_likeliest()
    {
        float[] row = [MathF.Log(8), MathF.Log(5), MathF.Log(3), MathF.Log(1)];
        Assert.Equal([0, 1], Support(row, new() { MinP = 0.5f }));
        Assert.Equal([0, 1, 2], Support(row, new() { MinP = 0.3f }));
        Assert.Equal([0], Support(row, new() { MinP = 1 }));
    }

    [Fact]
    public void Top_k_of_one_is_greedy() =>
        Row.Sample(row =>
            Assert.Equal(
                new Sampler(new() { Temperature = 0 }, Plain, row.Length, 1, null).Sample([.. row], new(row.Length)).Id,
                new Sampler(new() { TopK = 1 }, Plain, row.Length, 1, null).Sample([.. row], new(row.Length)).Id));

    [Theory]
    [InlineData(1f, 1f, 0)]
    [InlineData(0.6f, 1f, 0)]
    [InlineData(1.5f, 0.8f, 0)]
    [InlineData(1f, 1f, 5)]
    public void Frequencies_follow_the_probabilities(float temperature, float topP, int topK)
    {
        const int draws = 20_000;
        float[] row = [2, 1.5f, 1, 0.5f, 0, 1.2f, 0.1f, 1.9f];
        var options = new SamplingOptions { Temperature = temperature, TopP = topP, TopK = topK };
        var expected = Probabilities(row, options);
        var seen = new int[row.Length];
        var sampler = new Sampler(options, Plain, row.Length, seed: 12345, null);
        var scratch = new SamplingScratch(row.Length);
        for (var i = 0; i < draws; i++) seen[sampler.Sample([.. row], scratch).Id]++;

        double chiSquare = 0;
        for (var id = 0; id < row.Length; id++)
        {
            if (expected[id] == 0) Assert.Equal(0, seen[id]);
            else chiSquare += Math.Pow(seen[id] - (expected[id] * draws), 2) / (expected[id] * draws);
        }

        // With 7 degrees of freedom, 1 in 100,000 fair samples lies beyond 35.
        Assert.True(chiSquare < 35, $"chi-square {chiSquare}");
    }

    private static int[] Sorted(float[] row) => [.. Enumerable.Range(0, row.Length).OrderByDescending(id => row[id]).ThenBy(id => id)];

    /// <summary>The ids that can be drawn at all, by trying 2,000 seeds.</summary>
    private static IEnumerable<int> Support(float[] row, SamplingOptions options) =>
        Enumerable.Range(0, 2000).Select(seed => new Sampler(options, Plain, row.Length, seed, null).Sample([.. row], new(row.Length)).Id).Distinct()
            .Order();

    private static double[] Probabilities(float[] row, SamplingOptions options, double topPShift = 0, double minPFactor = 1)
    {
        var max = row.Max();
        var weights = row.Select(logit => Math.Exp((logit - max) / (double)options.Temperature!)).ToArray();
        var kept = Sorted(row);
        if (options.TopK > 0) kept = [.. kept.Take(options.TopK.Value)];
        kept = [.. kept.Where(id => weights[id] >= (options.MinP ?? 0) * minPFactor)];
        if (options.TopP < 1)
        {
            var need = kept.Sum(id => weights[id]) * (options.TopP!.Value + topPShift);
            double sum = 0;
            kept = [.. kept.TakeWhile((id, i) => { var before = sum; sum += weights[id]; return i == 0 || before < need; })];
        }

        var probabilities = new double[row.Length];
        var total = kept.Sum(id => weights[id]);
        foreach (var id in kept) probabilities[id] = weights[id] / total;
        return probabilities;
    }

    /// <summary>What the draw may give where single and double precision may differ: the borders of the sets and of the intervals moved by a
    /// little.</summary>
    private static HashSet<int> NaiveDraws(float[] row, SamplingOptions options, double draw)
    {
        var allowed = new HashSet<int>();
        foreach (var topPShift in (double[])[-2e-5, 0, 2e-5])
        {
            foreach (var minPFactor in (double[])[1 - 1e-5, 1 + 1e-5])
            {
                var probabilities = Probabilities(row, options, topPShift, minPFactor);
                foreach (var shift in (double[])[-5e-5, 0, 5e-5])
                {
                    var target = draw + shift;
                    var id = Array.FindIndex(probabilities, p => (target -= p) < 0);
                    if (id >= 0) allowed.Add(id);
                    else allowed.Add(Array.FindLastIndex(probabilities, p => p > 0));
                }
            }
        }

        return allowed;
    }
}
