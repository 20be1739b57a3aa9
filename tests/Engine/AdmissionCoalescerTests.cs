using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Sampling;
using R1Serverless.Engine.Steps;
using R1Serverless.Models;

namespace R1Serverless.Tests.Engine;

public sealed class AdmissionCoalescerTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void Newcomers_wait_until_as_many_are_there_as_ended_together()
    {
        var coalescer = new AdmissionCoalescer(_time);
        Assert.Equal(TimeSpan.Zero, coalescer.Wait(0));
        coalescer.OnTurn(ended: 8, running: 2);
        coalescer.OnTurn(ended: 0, running: 2);
        Assert.Equal((8, AdmissionCoalescer.Patience), (coalescer.Expected, coalescer.Wait(0)));
        _time.Advance(AdmissionCoalescer.Patience / 3);
        Assert.Equal(AdmissionCoalescer.Patience - (AdmissionCoalescer.Patience / 3), coalescer.Wait(7));
        Assert.Equal(TimeSpan.Zero, coalescer.Wait(8));
        Assert.Equal((0, TimeSpan.Zero), (coalescer.Expected, coalescer.Wait(1)));
    }

    [Fact]
    public void But_a_moment_at_most()
    {
        var coalescer = new AdmissionCoalescer(_time);
        coalescer.OnTurn(ended: 8, running: 0);
        _time.Advance(AdmissionCoalescer.Patience);
        Assert.Equal((TimeSpan.Zero, 0), (coalescer.Wait(1), coalescer.Expected));
    }

    [Theory]
    [InlineData(3, 0)]
    [InlineData(8, 3)]
    [InlineData(1, 0)]
    public void Few_among_many_are_no_crowd(int ended, int running)
    {
        var coalescer = new AdmissionCoalescer(_time);
        coalescer.OnTurn(ended, running);
        Assert.Equal(TimeSpan.Zero, coalescer.Wait(0));
    }

    [Fact]
    public async Task An_engine_takes_those_that_come_though_the_rest_of_the_crowd_stays_away()
    {
        // The clock stands still: only the engine's own wait can end.
        await using var engine = new InferenceEngine(new FakeRunner(), 4096, new EngineOptions { KvMemory = 1 << 20 }, "fake", _time);
        for (var wave = 0; wave < 3; wave++)
        {
            var answers = Channel.CreateUnbounded<SequenceOutput>();
            Assert.Equal(Submission.Accepted, engine.TrySubmit([.. Enumerable.Range(0, 8).Select(_ => Sequence(engine, answers))]));
            await EndAsync(answers, 8);
            Assert.Equal(Submission.Accepted, engine.TrySubmit([Sequence(engine, answers)]));
            await EndAsync(answers, 1);
        }
    }

    private static async Task EndAsync(Channel<SequenceOutput> answers, int sequences)
    {
        while (sequences > 0)
        {
            if ((await answers.Reader.ReadAsync(TestContext.Current.CancellationToken)).End is not null) sequences--;
        }
    }

    private static Sequence Sequence(InferenceEngine engine, Channel<SequenceOutput> answers) => new()
    {
        Number = engine.NextNumber(), PromptLength = 3, Prompt = new[] { 5, 6, 7 }, Choice = 0, MaxTokens = 4, EndTokens = [],
        Output = answers.Writer,
        Sampler = new Sampler(new SamplingOptions { Temperature = 0 }, new GenerationDefaults(), 97, seed: 1, topLogprobs: null),
    };
}
