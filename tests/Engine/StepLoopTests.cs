using System.Threading.Channels;
using CsCheck;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Runtime;
using R1Serverless.Engine.Sampling;
using R1Serverless.Engine.Steps;
using R1Serverless.Models;
using R1Serverless.Scheduling;
using R1Serverless.Scheduling.Prefixes;

namespace R1Serverless.Tests.Engine;

/// <summary>The turns themselves, driven by hand: whatever happens to its neighbours, a sequence says what it says alone.</summary>
public sealed class StepLoopTests
{
    private readonly string _file = Path.Combine(Path.GetTempPath(), $"r1-tests-{Guid.NewGuid():n}.prefixes");
    private readonly FakeRunner _runner = new();
    private readonly Publisher _publisher = new(TimeProvider.System);
    private int _ended;

    [Fact]
    public void Batched_equals_isolated_with_growth_preemption_and_cancellation()
    {
        var sequences = Gen.Select(Gen.OneOf(Gen.Int[1, 50], Gen.Int[1, 1400]), Gen.Int[1, 40], Gen.Int[0, 20], Gen.Int[0, 9]).Array[1, 30];
        Gen.Select(sequences, Gen.Int[2, 30], Gen.Bool).Sample((loads, memory, isLazy) =>
        {
            var runner = new FakeRunner { MapsPrefixes = isLazy };
            var limits = Limits(memory * 1024L, isLazy);
            var publisher = new Publisher(TimeProvider.System);
            var loop = new StepLoop(runner, limits, "fake", TimeProvider.System, publisher, () => { });
            var waiting =
                new Queue<(Listener Listener, int At)>(loads.Select((l, i) => (new Listener(i, l.Item1, l.Item2, cancelled: l.Item4 == 0), l.Item3)));
            var all = waiting.Select(w => w.Listener).ToList();
            for (var turn = 0; ; turn++)
            {
                while (waiting.TryPeek(out var next) && next.At <= turn) loop.Enqueue(waiting.Dequeue().Listener.Sequence);
                if (turn % 7 == 3) foreach (var listener in all.Where(l => l.Cancelled && l.Sequence.Generated > 0)) loop.Cancel(listener.Sequence);
                var busy = loop.Turn();
                SchedulerInvariants.Check(loop.Scheduler, limits);
                if (!busy && waiting.Count == 0) break;
            }

            publisher.Deliver();
            foreach (var listener in all)
            {
                var (tokens, _, _) = listener.Read();
                if (listener.Cancelled) Assert.Equal(listener.Expected[..tokens.Count], tokens);
                else Assert.Equal(listener.Expected, tokens);
            }
        }, iter: 120);
    }

    [Fact]
    public void Prompts_that_begin_alike_answer_as_they_do_alone()
    {
        var sequences = Gen.Select(Gen.Int[0, 3], Gen.Int[0, 1300], Gen.Int[1, 200], Gen.Int[1, 40], Gen.Int[0, 30], Gen.Int[0, 9]).Array[1, 30];
        Gen.Select(sequences, Gen.Int[2, 30], Gen.Int[0, 3], Gen.Bool).Sample((loads, memory, scarcity, isLazy) =>
        {
            var runner = new FakeRunner { MapsPrefixes = isLazy };
            var limits = Limits(memory * 1024L, isLazy);
            var publisher = new Publisher(TimeProvider.System);
            var steps = 0;
            if (scarcity > 0) runner.FitsInMemory = rows => ++steps % (scarcity * 20) != 0 || rows == 0;
            if (scarcity > 1) runner.ComputesInBlocks = () => steps % 3 != 0;
            // Some on the disk, in a file that holds 40 blocks.
            using var file = scarcity % 2 == 0 ? null : PrefixFile.Open(_file, 4096 * 41, $"{loads.Length}", runner.BlockBytes, out _);
            var loop = new StepLoop(runner, limits, "fake", TimeProvider.System, publisher, () => { }, sharesPrefixes: true,
                file is null ? null : new SavedPrefixes(runner, file, "fake"));
            // Of each family prompts begin alike for some tokens.
            var all = loads.Select((l, i) => new Listener(i, l.Item2 + l.Item3, l.Item4, l.Item6 == 0, prompt: PromptOf(i, l.Item1, l.Item2, l.Item3),
                salt: $"s{l.Item1 / 2}")).ToList();
            var waiting = new Queue<(Listener Listener, int At)>(all.Select((listener, i) => (listener, loads[i].Item5)));
            for (var turn = 0; ; turn++)
            {
                while (waiting.TryPeek(out var next) && next.At <= turn) loop.Enqueue(waiting.Dequeue().Listener.Sequence);
                if (turn % 7 == 3) foreach (var listener in all.Where(l => l.Cancelled && l.Sequence.Generated > 0)) loop.Cancel(listener.Sequence);
                var busy = loop.Turn();
                SchedulerInvariants.Check(loop.Scheduler, limits);
                if (!busy && waiting.Count == 0) break;
            }

            publisher.Deliver();
            foreach (var listener in all)
            {
                var (tokens, _, error) = listener.Read();
                if (error is not null) Assert.True(listener.Sequence.PromptLength + 40 > memory * 1024 || scarcity > 0, error.Message);
                Assert.Equal(listener.Cancelled || error is not null ? listener.Expected[..tokens.Count] : listener.Expected, tokens);
            }
        }, iter: 200, threads: 1);
        File.Delete(_file);
    }

    [Fact]
    public void Samples_of_one_prompt_compute_it_once()
    {
        foreach (var length in (int[])[130, 500, 513, 2064])
        {
            var tokens = 0;
            FakeRunner runner = new() { OnPrompt = count => tokens += count };
            var loop = new StepLoop(runner, new SchedulerLimits(4096, 1 << 20, TimeSpan.FromSeconds(1)), "fake", TimeProvider.System, _publisher,
                () => _ended++, sharesPrefixes: true);
            var prompt = PromptOf(1, 0, length - 3, 3);
            var all = Enumerable.Range(0, 4).Select(i => new Listener(i, length, 10, prompt: prompt, salt: "s")).ToList();
            all.ForEach(l => loop.Enqueue(l.Sequence));
            Drain(loop);
            Assert.All(all, l => Assert.Equal(l.Expected, l.Read().Tokens));
            var shared = PrefixTree.Shareable(length);
            Assert.Equal([0, shared, shared, shared], all.Select(l => l.Sequence.SharedLength));
            Assert.Equal(length + (3 * (length - shared)), tokens);
        }
    }

    [Fact]
    public void What_is_only_kept_gives_way_before_anyone_that_runs()
    {
        FakeRunner runner = new();
        SchedulerLimits limits = new(1024, 4096, TimeSpan.FromSeconds(1));
        var loop = new StepLoop(runner, limits, "fake", TimeProvider.System, _publisher, () => _ended++, sharesPrefixes: true);
        for (var round = 0; round < 6; round++)
        {
            Listener listener = new(round, 700, 5, prompt: PromptOf(round, round, 690, 10), salt: "s");
            loop.Enqueue(listener.Sequence);
            Drain(loop);
            Assert.Equal(listener.Expected, listener.Read().Tokens);
        }

        // 4,096 tokens less a slot of 1,024 that was touched.
        Assert.InRange(loop.Scheduler.Prefixes.Blocks, 30, 48);
        var all = Enumerable.Range(10, 4).Select(i => new Listener(i, 900, 60, prompt: PromptOf(i, i, 890, 10), salt: "s")).ToList();
        all.ForEach(l => loop.Enqueue(l.Sequence));
        var most = 0;
        while (loop.Turn())
        {
            SchedulerInvariants.Check(loop.Scheduler, limits);
            most = Math.Max(most, loop.Scheduler.Running.Count);
        }

        _publisher.Deliver();
        Assert.All(all, l => Assert.Equal(l.Expected, l.Read().Tokens));
        Assert.Equal((4, 0), (most, loop.Scheduler.Prefixes.Blocks));
    }

    /// <summary>A prompt that begins as its family's do, and ends as no other.</summary>
    private static int[] PromptOf(int number, int family, int alike, int own) =>
        [.. Enumerable.Range(0, alike).Select(i => ((family * 11) + (i * i)) % 97), .. Listener.PromptOf(number, own)];

    [Fact]
    public void Out_of_memory_is_an_event_and_every_answer_is_still_right()
    {
        _runner.FitsInMemory = rows => rows <= 3;
        var loop = NewLoop();
        var all = Enumerable.Range(0, 12).Select(i => new Listener(i, 20 + i, 10)).ToList();
        all.ForEach(l => loop.Enqueue(l.Sequence));
        Drain(loop);
        Assert.All(all, l => Assert.Equal(l.Expected, l.Read().Tokens));
        Assert.InRange(_runner.LargestBatch, 2, 3);
    }

    [Fact]
    public void Slots_that_do_not_fit_make_way_for_fewer_and_no_answer_is_lost()
    {
        // The device has room for 2,048 tokens where a million were configured.
        _runner.FitsSlots = tokens => tokens <= 2048;
        var loop = NewLoop();
        var all = Enumerable.Range(0, 9).Select(i => new Listener(i, i % 3 == 2 ? 700 : 100 + (20 * i), 250)).ToList();
        all.ForEach(l => loop.Enqueue(l.Sequence));
        Drain(loop);
        Assert.All(all, l => Assert.Equal(l.Expected, l.Read().Tokens));
    }

    [Fact]
    public void Only_the_one_that_can_never_fit_fails()
    {
        _runner.FitsSlots = tokens => tokens <= 512;
        var loop = NewLoop();
        var (large, small) = (new Listener(0, 900, 10), Enumerable.Range(1, 4).Select(i => new Listener(i, 50, 40)).ToList());
        small.ForEach(l => loop.Enqueue(l.Sequence));
        for (var i = 0; i < 3; i++) loop.Turn();
        loop.Enqueue(large.Sequence);
        Drain(loop);
        Assert.Equal(InferenceErrorKind.OutOfMemory, large.Read().Error!.Kind);
        Assert.All(small, l => Assert.Equal(l.Expected, l.Read().Tokens));
    }

    [Fact]
    public void A_lone_sequence_that_does_not_fit_fails_with_a_clear_error()
    {
        _runner.FitsInMemory = _ => false;
        var loop = NewLoop();
        var listener = new Listener(0, 20, 10);
        loop.Enqueue(listener.Sequence);
        Drain(loop);
        Assert.Equal(InferenceErrorKind.OutOfMemory, listener.Read().Error!.Kind);
    }

    [Fact]
    public void A_broken_step_fails_its_own_sequences_and_no_later_ones()
    {
        var loop = NewLoop();
        var (broken, fine) = (new Listener(0, 20, 10), new Listener(1, 30, 10));
        loop.Enqueue(broken.Sequence);
        _runner.Fault = new InvalidOperationException("the device fell off the bus");
        Drain(loop);
        loop.Enqueue(fine.Sequence);
        Drain(loop);
        Assert.Contains("fell off the bus", broken.Read().Error!.Message, StringComparison.Ordinal);
        Assert.Equal(fine.Expected, fine.Read().Tokens);
    }

    [Fact]
    public void Cancelling_frees_the_slot_at_the_next_turn()
    {
        var loop = NewLoop();
        var listener = new Listener(0, 20, 1000);
        loop.Enqueue(listener.Sequence);
        for (var i = 0; i < 5; i++) loop.Turn();
        Assert.Single(loop.Scheduler.Running);
        loop.Cancel(listener.Sequence);
        Assert.Empty(loop.Scheduler.Running);
        Assert.False(loop.Turn());
        Assert.Equal(1, _ended);
    }

    [Fact]
    public void End_tokens_and_limits_end_a_sequence_with_their_reason()
    {
        var loop = NewLoop();
        var expected = FakeRunner.Expected(Listener.PromptOf(0, 20), 10);
        var (stopped, limited) = (new Listener(0, 20, 10, endToken: expected[6]), new Listener(0, 20, 10));
        loop.Enqueue(stopped.Sequence);
        loop.Enqueue(limited.Sequence);
        Drain(loop);
        var first = expected.IndexOf(expected[6]);
        Assert.Equal((FinishReason.Stop, first + 1), (stopped.Read().End, stopped.Sequence.Generated));
        Assert.Equal((FinishReason.Length, 10), (limited.Read().End, limited.Sequence.Generated));
    }

    [Fact]
    public void Stopping_ends_everything_and_frees_the_model()
    {
        var loop = NewLoop();
        var listeners = Enumerable.Range(0, 3).Select(i => new Listener(i, 20, 100)).ToList();
        listeners.ForEach(l => loop.Enqueue(l.Sequence));
        for (var i = 0; i < 4; i++) loop.Turn();
        loop.Stop(new InferenceError(InferenceErrorKind.Unavailable, "bye"));
        _publisher.Deliver();
        Assert.All(listeners, l => Assert.Equal(InferenceErrorKind.Unavailable, l.Read().Error!.Kind));
        Assert.True(_runner.IsDisposed);
        Assert.Equal(3, _ended);
    }

    private void Drain(StepLoop loop)
    {
        for (var turn = 0; loop.Turn(); turn++) Assert.True(turn < 100_000, "The loop does not come to rest.");
        _publisher.Deliver();
    }

    private static SchedulerLimits Limits(long tokens, bool isLazy) =>
        new(4096, tokens, TimeSpan.FromSeconds(1)) { TakesMemoryLazily = isLazy, MapsPrefixes = isLazy };

    private StepLoop NewLoop() => new(_runner, Limits(1 << 20, false), "fake", TimeProvider.System, _publisher, () => _ended++);

    private sealed class Listener
    {
        private readonly Channel<SequenceOutput> _channel = Channel.CreateUnbounded<SequenceOutput>();

        public Listener(int number, int length, int tokens, bool cancelled = false, int? endToken = null, int[]? prompt = null, string? salt = null)
        {
            Cancelled = cancelled;
            prompt ??= PromptOf(number, length);
            Expected = FakeRunner.Expected(prompt, tokens);
            Sequence = new Sequence
            {
                Number = number,
                PromptLength = prompt.Length,
                Choice = 0,
                Prompt = prompt,
                PrefixSalt = salt,
                Sampler = new Sampler(new SamplingOptions { Temperature = 0 }, new GenerationDefaults(), 97, 1, null),
                MaxTokens = tokens,
                EndTokens = endToken is { } token ? [token] : [],
                Output = _channel.Writer,
            };
        }

        public Sequence Sequence { get; }

        public bool Cancelled { get; }

        public List<int> Expected { get; }

        public static int[] PromptOf(int number, int length) => [.. Enumerable.Range(0, length).Select(i => ((number * 7) + (i * 3)) % 97)];

        public (List<int> Tokens, FinishReason? End, InferenceError? Error) Read()
        {
            var tokens = new List<int>();
            SequenceOutput last = default;
            while (_channel.Reader.TryRead(out var output))
            {
                last = output;
                if (output.Token is { } token) tokens.Add(token.Id);
            }

            return (tokens, last.End, last.Error);
        }
    }
}
