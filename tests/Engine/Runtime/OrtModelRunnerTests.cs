using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Prepared;
using R1Serverless.Engine.Runtime;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Scheduling;

namespace R1Serverless.Tests.Engine.Runtime;

/// <summary>The slots under the real graph: what a row computes does not depend on where it lies, who lies beside it, or what was there
/// before.</summary>
public abstract class OrtModelRunnerTests : IDisposable
{
    private const int Steps = 20;
    private readonly ModelFolder _folder;
    private readonly ModelVariant _variant;
    private readonly OrtModelRunner _runner;

    private OrtModelRunnerTests(ModelFolder folder, int variant)
    {
        (_folder, _variant) = (folder, folder.Manifest.Variants[variant]);
        _runner = VariantRunner.Open(_folder, _variant, new RuntimeOptions { Threads = 2 });
    }

    [Fact]
    public void Rows_of_a_ragged_batch_equal_the_rows_alone_bit_for_bit()
    {
        int[] lengths = [3, 40, 17, 90, 1, 64, 33];
        var alone = lengths.Select((length, i) => Alone(Prompt(i, length))).ToArray();

        _runner.Resize(new KvShape(lengths.Length, 256), []);
        Completed(_runner.Prefill(0, [.. lengths.Select((length, i) => (ReadOnlyMemory<int>)Prompt(i, length))]));
        var together = lengths.Select(_ => new List<float[]>()).ToArray();
        for (var row = 0; row < lengths.Length; row++) together[row].Add(_runner.Logits(row).ToArray());
        for (var step = 0; step < Steps; step++)
        {
            Completed(_runner.Decode([.. together.Select(t => Greedy(t[^1]))], [.. lengths.Select(l => l + step)]));
            for (var row = 0; row < lengths.Length; row++) together[row].Add(_runner.Logits(row).ToArray());
        }

        for (var row = 0; row < lengths.Length; row++)
        {
            for (var step = 0; step <= Steps; step++) Assert.Equal(alone[row][step], together[row][step]);
        }
    }

    [Fact]
    public void Moves_resizes_and_swaps_change_no_bit()
    {
        var prompt = Prompt(1, 50);
        var expected = Alone(prompt);

        _runner.Resize(new KvShape(4, 256), []);
        Completed(_runner.Prefill(2, [prompt]));
        var logits = _runner.Logits(0).ToArray();
        _runner.Move(new SlotMove(2, 0, 50));
        Completed(_runner.Prefill(1, [Prompt(2, 100), Prompt(3, 100)]));
        for (var step = 0; step < Steps; step++)
        {
            if (step == 5) _runner.Resize(new KvShape(2, 512), [new SlotMove(0, 0, 50 + step)]);
            if (step == 10)
            {
                using var saved = _runner.Save(0, 50 + step);
                Completed(_runner.Prefill(0, [Prompt(4, 200)]));
                Completed(_runner.Restore(saved, 0, 0));
            }

            Completed(_runner.Decode([Greedy(logits)], [50 + step]));
            logits = _runner.Logits(0).ToArray();
            Assert.Equal(expected[step + 1], logits);
        }
    }

    [Fact]
    public void A_long_prompt_in_chunks_is_the_same_wherever_its_slot_is()
    {
        var prompt = Prompt(5, 1200);
        var answers = new[] { 0, 3 }.Select(slot =>
        {
            _runner.Resize(new KvShape(4, 2048), []);
            for (var start = 0; start < prompt.Length; start += PrefillRules.ChunkTokens)
                Completed(_runner.PrefillChunk(slot, start, prompt.AsMemory(start, PrefillRules.ChunkLength(prompt.Length, start))));
            return _runner.Logits(0).ToArray();
        }).ToArray();
        Assert.Equal(answers[0], answers[1]);
    }

    [Fact]
    public void A_long_text_goes_on_alone_as_in_company_where_threads_are_many()
    {
        const int longest = 3900;
        using var runner = VariantRunner.Open(_folder, _variant, new RuntimeOptions { Threads = 64 });
        Completed(runner.Resize(new KvShape(2, 4096), []));
        var prompt = Prompt(8, longest);
        foreach (var slot in new[] { 0, 1 })
        {
            for (var start = 0; start < longest; start += PrefillRules.ChunkTokens)
                Completed(runner.PrefillChunk(slot, start, prompt.AsMemory(start, PrefillRules.ChunkLength(longest, start))));
        }

        Completed(runner.Decode([20], [longest]));
        var alone = runner.Logits(0).ToArray();
        Completed(runner.Decode([20, 21], [longest, longest - 50]));
        Assert.Equal(alone, runner.Logits(0).ToArray());
    }

    [Fact]
    public void A_slot_whose_length_is_no_round_number_can_be_filled_to_its_end()
    {
        _runner.Resize(new KvShape(2, 201), []);
        Completed(_runner.Prefill(0, [Prompt(6, 195), Prompt(7, 190)]));
        for (var step = 0; step < 6; step++) Completed(_runner.Decode([20, 21], [195 + step, 190 + step]));
    }

    public void Dispose()
    {
        _runner.Dispose();
        GC.SuppressFinalize(this);
    }

    private static int[] Prompt(int seed, int length)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(7, 800))];
    }

    private static int Greedy(float[] logits) => Array.IndexOf(logits, logits.Max());

    private static void Completed(StepOutcome outcome) => Assert.Equal(StepOutcome.Completed, outcome);

    private List<float[]> Alone(int[] prompt)
    {
        _runner.Resize(new KvShape(1, 256), []);
        Completed(_runner.Prefill(0, [prompt]));
        var logits = new List<float[]> { _runner.Logits(0).ToArray() };
        for (var step = 0; step < Steps; step++)
        {
            Completed(_runner.Decode([Greedy(logits[^1])], [prompt.Length + step]));
            logits.Add(_runner.Logits(0).ToArray());
        }

        return logits;
    }

    public sealed class WithFloatKv() : OrtModelRunnerTests(TestModels.Nano, 0);

    public sealed class WithInt8Kv() : OrtModelRunnerTests(TestModels.NanoKv8, 0);

    public sealed class WithInt8WeightsAndKv() : OrtModelRunnerTests(TestModels.NanoKv8, 1);
}
