using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Evaluation;
using R1Serverless.Engine.Runtime;
using R1Serverless.Scheduling;
using R1Serverless.Scheduling.Prefixes;

namespace R1Serverless.Tests.Engine;

public sealed class LockStepTests
{
    private const int Context = 1000;

    private static readonly int[][] Prompts =
        [.. Enumerable.Range(0, 20).Select(i => Enumerable.Range(i, (7 * i) + 1).Select(t => t % 97).ToArray())];

    [Fact]
    public void A_variant_that_is_the_reference_agrees_everywhere()
    {
        var done = new List<int>();
        var agreement = new LockStep(new FakeRunner(), new FakeRunner(), Context, []).Compare(Prompts, 9, new Listed(done), CancellationToken.None);
        Assert.Equal(new Agreement(20 * 9, 20 * 9, 0), agreement);
        Assert.Equal((1, 0), (agreement.TokenShare, agreement.MeanDivergence));
        Assert.Equal([16, 20], done);
    }

    /// <summary>The fake's next token is a hash of all before it: had the wrong one been fed on, every place after it would differ too.</summary>
    [Fact]
    public void A_wrong_token_is_counted_once_and_the_reference_s_is_fed_on()
    {
        using var other = new Wandering(every: 4);
        var agreement = new LockStep(new FakeRunner(), other, Context, []).Compare([Prompts[3]], 12, null, CancellationToken.None);
        Assert.Equal((12, 9), (agreement.Tokens, agreement.Same));
        // A logit of 10 at another of 97 tokens, three times in twelve: 10 (e^10 - 1) / (e^10 + 96) nats each.
        var each = 10 * (Math.Exp(10) - 1) / (Math.Exp(10) + 96);
        Assert.Equal(3 * each, agreement.Divergence, 1e-9);
        Assert.Equal(each / 4, agreement.MeanDivergence, 1e-9);
    }

    [Fact]
    public void An_answer_ends_with_its_end_token_and_the_others_go_on()
    {
        var end = FakeRunner.Expected(Prompts[5], 3)[2];
        var counted =
            Prompts.Sum(
                prompt => FakeRunner.Expected(prompt, 9).TakeWhile(t => t != end).Count() + (FakeRunner.Expected(prompt, 9).Contains(end) ? 1 : 0));
        Assert.True(counted < 20 * 9);
        var agreement = new LockStep(new FakeRunner(), new FakeRunner(), Context, [end]).Compare(Prompts, 9, null, CancellationToken.None);
        Assert.Equal(new Agreement(counted, counted, 0), agreement);
    }

    [Fact]
    public void An_answer_ends_where_the_context_does()
    {
        var agreement =
            new LockStep(new FakeRunner(), new FakeRunner(), contextLength: 24, []).Compare([Prompts[3], Prompts[0]], 50, null,
                CancellationToken.None);
        // 22 tokens and then 3, 1 and then 24: the last is said at the context's end and read by nobody.
        Assert.Equal(3 + 24, agreement.Tokens);
        Assert.Equal(agreement.Tokens, agreement.Same);
    }

    [Fact]
    public void Long_prompts_are_read_in_chunks()
    {
        var prompt = Enumerable.Range(0, 1300).Select(i => i % 97).ToArray();
        Assert.Equal(new Agreement(4, 4, 0),
            new LockStep(new FakeRunner(), new FakeRunner(), 2000, []).Compare([prompt], 4, null, CancellationToken.None));
    }

    [Fact]
    public void A_step_that_fails_is_an_error_in_words()
    {
        using var broken = new FakeRunner { FitsInMemory = _ => false };
        var error = Assert.Throws<ModelLoadException>(
            () => new LockStep(new FakeRunner(), broken, Context, []).Compare(Prompts, 2, null, CancellationToken.None));
        Assert.Contains("out of memory", error.Message, StringComparison.Ordinal);
    }

    private sealed class Listed(List<int> values) : IProgress<int>
    {
        public void Report(int value) => values.Add(value);
    }

    /// <summary>The fake runner, except that every so often its likeliest token is the next one.</summary>
    private sealed class Wandering(int every) : IModelRunner
    {
        private readonly FakeRunner _inner = new();
        private int _asked;

        public int VocabularySize => _inner.VocabularySize;

        public long KvBytesPerToken => _inner.KvBytesPerToken;

        public bool TakesMemoryLazily => _inner.TakesMemoryLazily;

        public bool MapsPrefixes => _inner.MapsPrefixes;

        public StepOutcome Resize(KvShape shape, IReadOnlyList<SlotMove> rows) => _inner.Resize(shape, rows);

        public void Move(SlotMove move) => _inner.Move(move);

        public KvSnapshot Save(int slot, int length) => _inner.Save(slot, length);

        public StepOutcome Restore(KvSnapshot snapshot, int slot, int from) => _inner.Restore(snapshot, slot, from);

        public void Release(IReadOnlyList<SlotRest> rests) => _inner.Release(rests);

        public StepOutcome Publish(int slot, IReadOnlyList<PrefixBlock> blocks) => _inner.Publish(slot, blocks);

        public StepOutcome Attach(int slot, IReadOnlyList<int> blocks, out int mapped) => _inner.Attach(slot, blocks, out mapped);

        public int BlockBytes => _inner.BlockBytes;

        public void ReadBlock(int block, byte[] to) => _inner.ReadBlock(block, to);

        public StepOutcome WriteBlock(int block, byte[] from) => _inner.WriteBlock(block, from);

        public void Drop(IReadOnlyList<int> blocks) => _inner.Drop(blocks);

        public StepOutcome Prefill(int firstSlot, IReadOnlyList<ReadOnlyMemory<int>> prompts) => _inner.Prefill(firstSlot, prompts);

        public StepOutcome PrefillChunk(int slot, int start, ReadOnlyMemory<int> tokens) => _inner.PrefillChunk(slot, start, tokens);

        public StepOutcome PrefillChunk(
            int slot, int start, ReadOnlyMemory<int> tokens, IReadOnlyList<PrefixBlock> blocks, out int mapped) =>
            _inner.PrefillChunk(slot, start, tokens, blocks, out mapped);

        public StepOutcome Decode(ReadOnlySpan<int> tokens, ReadOnlySpan<int> cachedLengths) => _inner.Decode(tokens, cachedLengths);

        public Span<float> Logits(int row)
        {
            var logits = _inner.Logits(row);
            if (++_asked % every != 0) return logits;
            var first = logits[0];
            logits[1..].CopyTo(logits);
            logits[^1] = first;
            return logits;
        }

        public void Dispose() => _inner.Dispose();
    }
}
