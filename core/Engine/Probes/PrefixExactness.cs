using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Runtime;
using R1Serverless.Scheduling;
using R1Serverless.Scheduling.Prefixes;

namespace R1Serverless.Engine.Probes;

/// <summary>Whether a prompt has the same logits, bit for bit, when its beginning was computed for another.</summary>
public static class PrefixExactness
{
    /// <summary>Tokens after the shared ones: as few as there can be, which a kernel for few rows would run, and some more.</summary>
    private static readonly int[] Own = [2, 9];

    /// <summary>Runs some short prompts whole, and with their first block attached. Leaves nothing behind but the slots' shape.</summary>
    /// <param name="contextLength">Of the model; where it is less than such a prompt, there is nothing to share.</param>
    /// <exception cref="ModelLoadException">A run failed.</exception>
    public static bool Holds(IModelRunner runner, int contextLength)
    {
        const int Block = PrefixTree.BlockTokens;
        if (contextLength <= Block + Own[^1]) return false;
        var prompt = Enumerable.Range(0, Block + Own[^1]).Select(i => (int)((i + 5) * 104_729L % runner.VocabularySize)).ToArray();
        RowIndependence.Require(runner.Resize(new KvShape(2, LengthBuckets.For(prompt.Length, contextLength)), []));
        RowIndependence.Require(runner.Prefill(0, [prompt.AsMemory(0, Block)]));
        RowIndependence.Require(runner.Publish(0, [new PrefixBlock(0, 0)]));
        try
        {
            foreach (var own in Own)
            {
                RowIndependence.Require(runner.Prefill(0, [prompt.AsMemory(0, Block + own)]));
                var whole = runner.Logits(0).ToArray();
                RowIndependence.Require(runner.Attach(1, [0], out _));
                RowIndependence.Require(runner.PrefillChunk(1, Block, prompt.AsMemory(Block, own)));
                if (!runner.Logits(0).SequenceEqual(whole)) return false;
            }

            return true;
        }
        finally
        {
            runner.Drop([0]);
        }
    }
}
