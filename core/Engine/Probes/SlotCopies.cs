using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Prepared;
using R1Serverless.Engine.Runtime;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Scheduling;

namespace R1Serverless.Engine.Probes;

/// <summary>Whether a sequence goes on the same after its keys and values were moved to another slot, copied into longer slots, and saved and
/// restored.</summary>
public static class SlotCopies
{
    private const int Prompt = 50, Steps = 16, ResizeAt = 5, RestoreAt = 10, Short = 256, Long = 512;

    /// <summary>The greatest difference between its logits and those of one that lay still, and whether the likeliest token was the same at every
    /// step.</summary>
    /// <exception cref="ModelLoadException">The graph can't be loaded or run.</exception>
    public static (double LargestDifference, bool AreTokensSame) Compare(ModelFolder folder, ModelVariant variant, RuntimeOptions options)
    {
        using var runner = VariantRunner.Open(folder, variant, options);
        var (still, moved) = (Generate(runner, isMoved: false), Generate(runner, isMoved: true));
        var pairs = still.Zip(moved).ToArray();
        return (pairs.Max(step => step.First.Zip(step.Second, (a, b) => (double)Math.Abs(a - b)).Max()),
            pairs.All(step => Likeliest(step.First) == Likeliest(step.Second)));
    }

    private static List<float[]> Generate(OrtModelRunner runner, bool isMoved)
    {
        RowIndependence.Require(runner.Resize(new KvShape(isMoved ? 4 : 1, Short), []));
        RowIndependence.Require(runner.Prefill(isMoved ? 2 : 0, [Text(runner, 1, Prompt)]));
        List<float[]> logits = [runner.Logits(0).ToArray()];
        if (isMoved)
        {
            runner.Move(new SlotMove(2, 0, Prompt));
            // Others take the place that it left, and the one beside it.
            RowIndependence.Require(runner.Prefill(1, [Text(runner, 2, Prompt * 2), Text(runner, 3, Prompt * 2)]));
        }

        for (var step = 0; step < Steps; step++)
        {
            if (isMoved && step == ResizeAt) RowIndependence.Require(runner.Resize(new KvShape(2, Long), [new SlotMove(0, 0, Prompt + step)]));
            if (isMoved && step == RestoreAt)
            {
                using var saved = runner.Save(0, Prompt + step);
                RowIndependence.Require(runner.Prefill(0, [Text(runner, 4, Prompt * 3)]));
                RowIndependence.Require(runner.Restore(saved, 0, 0));
            }

            RowIndependence.Require(runner.Decode([RowIndependence.Token(runner, 1, Prompt + step)], [Prompt + step]));
            logits.Add(runner.Logits(0).ToArray());
        }

        return logits;
    }

    private static ReadOnlyMemory<int> Text(OrtModelRunner runner, int row, int length) =>
        Enumerable.Range(0, length).Select(at => RowIndependence.Token(runner, row, at)).ToArray();

    private static int Likeliest(float[] logits) => Array.IndexOf(logits, logits.Max());
}
