using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Runtime;
using R1Serverless.Engine.Sampling;
using R1Serverless.Engine.Steps;
using R1Serverless.Models;
using R1Serverless.Scheduling;

namespace R1Serverless.Tests.Engine;

/// <summary>What goes to the disk and comes back, turn by turn.</summary>
public sealed class SavedPrefixTests : IDisposable
{
    private const int Tokens = 5, RecordBytes = 4096;

    private static readonly InferenceError Bye = new(InferenceErrorKind.Unavailable, "bye");

    private readonly string _path = Path.Combine(Path.GetTempPath(), $"r1-tests-{Guid.NewGuid():n}.prefixes");

    /// <summary>Stands still, so that the disk is never slower than a model that computes nothing.</summary>
    private readonly FakeTimeProvider _time = new();
    private int _number;

    [Fact]
    public void A_block_that_could_not_be_filled_is_never_saved()
    {
        FakeRunner runner = new();
        var loop = Open(runner);
        // Something that is kept and may leave, and then prompts whose blocks find no memory.
        Ask(loop, Prompt(1, 300));
        var fails = true;
        runner.FitsBlocks = () => fails = !fails;
        for (var i = 2; i < 12; i++) Ask(loop, Prompt(i % 6, 300 + (64 * i)));
        loop.Stop(Bye);

        runner = new FakeRunner();
        loop = Open(runner);
        for (var i = 0; i < 6; i++) Ask(loop, Prompt(i, 1000));
        loop.Stop(Bye);
    }

    [Fact]
    public void What_has_left_while_nobody_rested_is_on_the_disk()
    {
        var loop = Open(new FakeRunner());
        for (var i = 0; i < 40; i++) Ask(loop, Prompt(i, 300), saves: false);
        Assert.True(loop.Scheduler.Prefixes.Blocks < 40 * 4, "Nothing has left.");
        loop.Stop(Bye);

        var computed = 0;
        loop = Open(new FakeRunner { OnPrompt = count => computed += count });
        for (var i = 0; i < 40; i++) Ask(loop, Prompt(i, 300), saves: false);
        loop.Stop(Bye);
        Assert.Equal(40 * (300 - 256), computed);
    }

    [Fact]
    public void A_file_that_is_too_small_keeps_beginnings()
    {
        var loop = Open(new FakeRunner(), records: 8);
        Ask(loop, Prompt(1, 1000));
        loop.Stop(Bye);

        var computed = 0;
        loop = Open(new FakeRunner { OnPrompt = count => computed += count }, records: 8);
        Ask(loop, Prompt(1, 1000));
        loop.Stop(Bye);
        Assert.Equal(1000 - (8 * 64), computed);
    }

    [Fact]
    public void A_fault_while_something_is_saved_ends_nobody_s_answer()
    {
        FakeRunner runner = new();
        var loop = Open(runner);
        var faults = 0;
        runner.OnReadBlock = () =>
        {
            faults++;
            throw new InvalidOperationException("broken");
        };
        Ask(loop, Prompt(1, 300));
        // Those behind the first are of no use without it.
        Assert.Equal(1, faults);
        runner.OnReadBlock = () => { };
        Ask(loop, Prompt(2, 300));
        loop.Stop(Bye);
    }

    public void Dispose() => File.Delete(_path);

    private StepLoop Open(FakeRunner runner, int records = 400)
    {
        var file = PrefixFile.Open(_path, 4096 + (records * RecordBytes), "fake", runner.BlockBytes, out _)!;
        return new StepLoop(runner, new SchedulerLimits(4096, 4096, TimeSpan.FromSeconds(1)), "fake", _time,
            new Publisher(_time), () => { }, sharesPrefixes: true, new SavedPrefixes(runner, file, "fake"));
    }

    private static int[] Prompt(int number, int length) => [.. Enumerable.Range(0, length).Select(i => ((number * 13) + (i * (number + 3))) % 97)];

    /// <summary>Answers a prompt, which must be answered as without anything kept.</summary>
    /// <param name="saves">Whether it then rests until all is saved.</param>
    private void Ask(StepLoop loop, int[] prompt, bool saves = true)
    {
        var answer = Channel.CreateUnbounded<SequenceOutput>();
        Sequence sequence = new()
        {
            Number = ++_number, PromptLength = prompt.Length, Prompt = prompt, PrefixSalt = "s", Choice = 0, MaxTokens = Tokens, EndTokens = [],
            Sampler = new Sampler(new SamplingOptions { Temperature = 0 }, new GenerationDefaults(), 97, 1, null), Output = answer.Writer,
        };
        loop.Enqueue(sequence);
        for (var turn = 0; saves ? loop.Turn() : sequence.Status != SequenceStatus.Finished && loop.Turn(); turn++)
        {
            Assert.True(turn < 10_000, "The loop does not come to rest.");
            SchedulerInvariants.Check(loop.Scheduler, new SchedulerLimits(4096, 4096, TimeSpan.FromSeconds(1)));
        }

        Assert.Equal((SequenceStatus.Finished, Tokens), (sequence.Status, sequence.Generated));
        Assert.Equal(FakeRunner.Expected(prompt, Tokens)[^1], sequence.LastToken);
    }
}
