using R1Serverless.Abstractions;
using R1Serverless.Engine.Sampling;
using R1Serverless.Models;

namespace R1Serverless.Tests.Engine;

public sealed class SamplerTests
{
    private static readonly GenerationDefaults Plain = new() { Temperature = 1, TopP = 1, TopK = 0 };

    [Fact]
    public void Greedy_takes_the_likeliest_and_of_equals_the_lowest_id() =>
        Assert.Equal(2, Sample(new() { Temperature = 0 }, [1, -3, 7, 7, 2, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 1]));

    [Fact]
    public void Greedy_ignores_what_is_not_a_number() => Assert.Equal(3, Sample(new() { Temperature = 0 }, [float.NaN, 1, float.NaN, 2, -1]));

    [Theory]
    [InlineData(0f)]
    [InlineData(1f)]
    public void A_row_without_numbers_is_an_error(float temperature)
    {
        var error = Assert.Throws<InvalidOperationException>(
            () => Sample(new() { Temperature = temperature }, [float.NaN, float.NegativeInfinity, float.NaN]));
        Assert.Contains("NaN", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Sampling_never_takes_what_is_not_a_number()
    {
        var sampler = Create(new(), 4);
        for (var i = 0; i < 200; i++) Assert.InRange(sampler.Sample([float.NaN, 1, 1, float.NaN], new(4)).Id, 1, 2);
    }

    [Fact]
    public void An_infinite_logit_wins() => Assert.Equal(1, Sample(new(), [3, float.PositiveInfinity, 9]));

    [Fact]
    public void Unset_options_fall_back_to_the_models_defaults()
    {
        float[] logits = [1, 2, 3, 4];
        Assert.Equal(3, new Sampler(new(), new() { Temperature = 0 }, 4, 1, null).Sample(logits, new(4)).Id);
        Assert.Equal(3, new Sampler(new(), new() { TopK = 1 }, 4, 1, null).Sample(logits, new(4)).Id);
        Assert.Equal(3, new Sampler(new(), new() { TopP = 1e-6f }, 4, 1, null).Sample(logits, new(4)).Id);
        Assert.Equal(3, new Sampler(new(), new() { MinP = 1 }, 4, 1, null).Sample(logits, new(4)).Id);
    }

    [Fact]
    public void Padding_beyond_the_vocabulary_is_never_chosen() =>
    Assert.Equal(1, Create(new() { Temperature = 0 }, 2).Sample([1, 2, 3, 4], new(2)).Id);

    [Fact]
    public void Bias_forces_and_bans()
    {
        float[] logits = [0, 20, -20, 5];
        Assert.Equal(2, Sample(new() { Temperature = 0, LogitBias = Bias((2, 100)) }, [.. logits]));
        Assert.Equal(3, Sample(new() { Temperature = 0, LogitBias = Bias((1, -100)) }, [.. logits]));
        var sampler = Create(new() { LogitBias = Bias((2, 100)) }, 4);
        for (var i = 0; i < 100; i++) Assert.Equal(2, sampler.Sample([.. logits], new(4)).Id);
    }

    [Fact]
    public void Bias_beyond_the_vocabulary_is_refused_by_name()
    {
        var options = new SamplingOptions { LogitBias = Bias((4, 1)) };
        var error = Sampler.Check(options, 4);
        Assert.Equal("logit_bias", error?.Field);
        Assert.Null(Sampler.Check(options, 5));
        Assert.Throws<ArgumentException>(() => Create(options, 4));
    }

    [Fact]
    public void Presence_is_taken_off_once_and_frequency_each_time()
    {
        var presence = Create(new() { Temperature = 0, PresencePenalty = 2 }, 3);
        Assert.Equal([0, 1, 0, 0], Generate(presence, [5, 4, 0], 4));

        var frequency = Create(new() { Temperature = 0, FrequencyPenalty = 0.75f }, 3);
        Assert.Equal([0, 0, 1, 0, 1], Generate(frequency, [5, 4, 0], 5));

        var reward = Create(new() { Temperature = 0, PresencePenalty = -2 }, 2);
        Assert.Equal([0, 0], Generate(reward, [5, 4], 2));
    }

    [Fact]
    public void Repetition_counts_the_prompt_and_what_was_generated()
    {
        // 5 / 2 is below 4, then both halves below 2.6; what is negative gets further away.
        var sampler = new Sampler(new() { Temperature = 0, RepetitionPenalty = 2 }, Plain, 4, 1, null, [0, 0, 77]);
        Assert.Equal([1, 2, 0], Generate(sampler, [5, 4, 2.6f, -1], 3));

        sampler = new Sampler(new() { Temperature = 0 }, Plain with { RepetitionPenalty = 3 }, 2, 1, null, [0]);
        Assert.Equal([1], Generate(sampler, [-1, -2], 1));
        sampler = new Sampler(new() { Temperature = 0, RepetitionPenalty = 1 }, Plain with { RepetitionPenalty = 3 }, 2, 1, null, [0]);
        Assert.Equal([0, 0], Generate(sampler, [-1, -2], 2));
    }

    [Fact]
    public void The_same_seed_draws_the_same_tokens_whatever_runs_beside_it()
    {
        var scratch = new SamplingScratch(300);
        var options = new SamplingOptions { TopP = 0.9f, Seed = 7 };
        var rows = Rows(300, 100);
        var alone = Create(options, 300, seed: 7);
        var expected = rows.Select(row => alone.Sample([.. row], new(300)).Id).ToArray();

        var together = Create(options, 300, seed: 7);
        Sampler[] neighbours = [Create(new(), 300, 1), Create(new() { TopK = 5 }, 300, 2), Create(new() { MinP = 0.1f }, 300, 3)];
        var actual = rows.Select((row, i) =>
        {
            neighbours[i % 3].Sample([.. rows[^(i + 1)]], scratch);
            var id = together.Sample([.. row], scratch).Id;
            neighbours[(i + 1) % 3].Sample([.. row], scratch);
            return id;
        }).ToArray();

        Assert.Equal(expected, actual);
        Assert.True(expected.Distinct().Count() > 20);
    }

    [Fact]
    public void Where_a_row_lies_in_memory_changes_no_draw()
    {
        var rows = Rows(1003, 40);
        var expected = rows.Select((row, i) => Create(new(), 1003, i).Sample([.. row], new(1003)).Id).ToArray();
        for (var offset = 1; offset < 16; offset++)
        {
            var moved = new float[1003 + offset];
            for (var i = 0; i < rows.Length; i++)
            {
                rows[i].CopyTo(moved, offset);
                Assert.Equal(expected[i], Create(new(), 1003, i).Sample(moved.AsSpan(offset), new(1003)).Id);
            }
        }
    }

    [Fact]
    public void The_choices_of_a_request_have_streams_of_their_own()
    {
        var seeds = Enumerable.Range(0, 16).Select(choice => RandomStream.SeedOf(42, choice)).ToArray();
        Assert.Equal(42, seeds[0]);
        var texts = seeds.Select(seed => string.Join(',', Generate(Create(new(), 50, seed), new float[50], 20))).ToArray();
        Assert.Equal(16, texts.Distinct(StringComparer.Ordinal).Count());
    }

    [Fact]
    public void The_stream_is_the_published_one()
    {
        // SplitMix64 from state 0 begins with 0xE220A8397B1DCDAF; seed 0 mixes to state 0.
        var stream = new RandomStream(0);
        Assert.Equal((0xE220A8397B1DCDAF >> 11) * Math.Pow(2, -53), stream.Next());
    }

    [Fact]
    public void No_token_allocates()
    {
        var rows = Rows(4000, 30);
        var scratch = new SamplingScratch(4000);
        SamplingOptions[] all = [new() { Temperature = 0 }, new(), new() { TopP = 0.95f }, new() { TopK = 40, TopP = 0.9f },
            new() { MinP = 0.05f, TopP = 0.9f }];
        foreach (var options in all)
        {
            var sampler = Create(options, 4000);
            sampler.Sample(rows[0], scratch);
            var before = GC.GetAllocatedBytesForCurrentThread();
            foreach (var row in rows) sampler.Sample(row, scratch);
            Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        }
    }

    private static int[] Generate(Sampler sampler, float[] logits, int tokens) =>
        [.. Enumerable.Range(0, tokens).Select(_ => sampler.Sample([.. logits], new(logits.Length)).Id)];

    private static float[][] Rows(int vocabulary, int rows)
    {
        var random = new Random(3);
        return [.. Enumerable.Range(0, rows).Select(_ => Enumerable.Range(0, vocabulary).Select(_ => (random.NextSingle() * 12) - 6).ToArray())];
    }

    private static Dictionary<int, float> Bias(params (int Id, float Value)[] entries) => entries.ToDictionary(e => e.Id, e => e.Value);

    private static Sampler Create(SamplingOptions options, int vocabulary, long seed = 1) => new(options, Plain, vocabulary, seed, topLogprobs: null);

    private static int Sample(SamplingOptions options, float[] logits) => Create(options, logits.Length).Sample(logits, new(logits.Length)).Id;
}
