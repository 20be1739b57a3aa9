using R1Serverless.Abstractions;
using R1Serverless.Engine.Sampling;
using R1Serverless.Models;

namespace R1Serverless.Tests.Engine;

public sealed class LogprobsTests
{
    private static readonly float[] Row = [MathF.Log(1), MathF.Log(4), MathF.Log(2), MathF.Log(1)];

    [Fact]
    public void Are_not_reported_unasked()
    {
        var token = Sample(new() { Temperature = 0 }, null);
        Assert.Null(token.Alternatives);
        Assert.Equal(0, token.Logprob);
    }

    [Fact]
    public void Are_the_models_own_before_bias_penalties_and_temperature()
    {
        var token = Sample(new() { Temperature = 0.01f, TopK = 3, LogitBias = new Dictionary<int, float> { [2] = 100 } }, 3);
        Assert.Equal(2, token.Id);
        Assert.Equal(MathF.Log(0.25f), token.Logprob, 1e-5f);
        Assert.Equal([1, 2, 0], token.Alternatives!.Select(a => a.Id));
        Assert.Equal([MathF.Log(0.5f), MathF.Log(0.25f), MathF.Log(0.125f)], token.Alternatives!.Select(a => a.Logprob),
            (a, b) => Math.Abs(a - b) < 1e-5);
    }

    [Fact]
    public void None_asked_gives_the_chosen_tokens_alone()
    {
        var token = Sample(new() { Temperature = 0 }, 0);
        Assert.Equal(MathF.Log(0.5f), token.Logprob, 1e-5f);
        Assert.Empty(token.Alternatives!);
    }

    [Fact]
    public void More_than_there_are_tokens_gives_all() =>
    Assert.Equal([1, 2, 0, 3], Sample(new() { Temperature = 0 }, 20).Alternatives!.Select(a => a.Id));

    [Fact]
    public void Of_infinite_logits_are_certain_and_impossible()
    {
        float[] row = [0, float.PositiveInfinity, float.NegativeInfinity, float.NaN];
        var token = new Sampler(new() { Temperature = 0 }, new(), 4, 1, 4).Sample(row, new(4));
        Assert.Equal((1, 0f), (token.Id, token.Logprob));
        Assert.Equal([new(1, 0), new(0, float.NegativeInfinity)], token.Alternatives!);
    }

    private static SampledToken Sample(SamplingOptions options, int? topLogprobs) =>
        new Sampler(options, new GenerationDefaults(), Row.Length, 1, topLogprobs).Sample([.. Row], new(Row.Length));
}
