using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Prepared;
using R1Serverless.Engine.Runtime;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Scheduling;

namespace R1Serverless.Engine.Probes;

/// <summary>Whether a sequence's logits depend on the sequences beside it.</summary>
public static class RowIndependence
{
    private const int Slots = 64, Length = 64, Steps = 3, LongestPrompt = 40;

    private static readonly int[] BatchSizes = [2, 3, 4, 5, 7, 8, 16, 17, 32, 64];

    /// <summary>The greatest difference between a logit of a sequence alone and the same in a batch, over batches of 2 to 64 ragged prompts prefilled
    /// together and decoded some steps; 0 where all are equal bit for bit.</summary>
    /// <exception cref="ModelLoadException">The graph can't be loaded or run.</exception>
    public static double LargestDifference(ModelFolder folder, ModelVariant variant, RuntimeOptions options)
    {
        using var runner = VariantRunner.Open(folder, variant, options);
        Require(runner.Resize(new KvShape(Slots, LengthBuckets.For(Length, folder.Config.ContextLength)), []));
        var alone = Enumerable.Range(0, BatchSizes[^1]).Select(row => Generate(runner, row, 1)[0]).ToArray();
        var largest = 0.0;
        foreach (var size in BatchSizes)
        {
            var together = Generate(runner, 0, size);
            for (var row = 0; row < size; row++)
            {
                for (var i = 0; i < alone[row].Length; i++) largest = Math.Max(largest, Math.Abs(alone[row][i] - together[row][i]));
            }
        }

        return largest;
    }

    /// <summary>Sequences [first, + count) in one batch: for each, the logits of all its steps, one after the other.</summary>
    private static float[][] Generate(OrtModelRunner runner, int first, int count)
    {
        int[] lengths = [.. Enumerable.Range(first, count).Select(row => 1 + (row * 7 % LongestPrompt))];
        var logits = Enumerable.Range(0, count).Select(_ => new List<float>()).ToArray();
        Require(runner.Prefill(0,
            [.. lengths.Select((length, i) => (ReadOnlyMemory<int>)Enumerable.Range(0, length).Select(t => Token(runner, first + i, t)).ToArray())]));
        for (var step = 0; ; step++)
        {
            for (var row = 0; row < count; row++) logits[row].AddRange(runner.Logits(row));
            if (step == Steps) return [.. logits.Select(row => row.ToArray())];
            Require(runner.Decode([.. lengths.Select((_, i) => Token(runner, first + i, LongestPrompt + step))],
                [.. lengths.Select(length => length + step)]));
        }
    }

    internal static int Token(OrtModelRunner runner, int row, int position) =>
        (int)((((row * 7919L) + position + 3) * 104_729) % runner.VocabularySize);

    internal static void Require(StepOutcome outcome)
    {
        if (outcome.Result != StepResult.Completed)
            throw new ModelLoadException($"a run failed: {outcome.Fault?.Message ?? "out of memory"}", outcome.Fault!);
    }
}
