using R1Serverless.Batching;

namespace R1Serverless.Runtime;

/// <summary>Dummy runs before a model is ready, so that kernels, arenas, thread pools and the JIT have seen the shapes that requests bring.</summary>
internal static class Warmup
{
    private static readonly int[] PromptLengths = [1, 16, 128];
    private static readonly int[] DecodeRows = [1, 2, 4, 8];

    /// <exception cref="ModelLoadException">A run failed.</exception>
    public static void Run(IModelRunner runner, int contextLength)
    {
        // Two decode steps follow the longest prompt.
        var longest = Math.Min(PromptLengths[^1], contextLength - 2);
        Require(runner.Resize(new KvShape(DecodeRows[^1], LengthBuckets.For(longest + 2, contextLength)), []));
        foreach (var length in PromptLengths)
        {
            var prompt = new int[Math.Clamp(longest, 1, length)];
            Require(runner.Prefill(0, [prompt, prompt]));
        }

        foreach (var rows in DecodeRows)
        {
            var (tokens, cached) = (new int[rows], new int[rows]);
            // Twice: the first run of a shape lays out its memory, the second uses that.
            for (var run = 0; run < 2; run++)
            {
                Array.Fill(cached, longest + run);
                Require(runner.Decode(tokens, cached));
            }
        }
    }

    private static void Require(StepOutcome outcome)
    {
        if (outcome.Result != StepResult.Completed)
            throw new ModelLoadException($"a warm-up run failed: {outcome.Fault?.Message ?? "out of memory"}", outcome.Fault!);
    }
}
