using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Runtime;
using R1Serverless.Scheduling;

namespace R1Serverless.Engine.Prepared;

/// <summary>
/// Answers to known inputs, which prove that a prepared graph computes what the plain one did: of a decoder the logits after a known prompt, in which
/// every matrix has a part. They find what no cheap look at the file does, weights of another layout or with damaged pages, though not a damaged
/// embedding of a token that the prompt does not use.
/// </summary>
public static class GoldenAnswers
{
    private const int Prompt = 8, Kept = 256;

    /// <summary>Of the spread of the answers: threads may add up in another order, wrong weights are off by more than a thousand times as
    /// much.</summary>
    private const float Tolerance = 1e-4f;

    /// <summary>All logits after the prompt and after one step more.</summary>
    /// <exception cref="ModelLoadException">A run failed.</exception>
    public static float[] Run(IModelRunner runner, int contextLength)
    {
        var length = Math.Clamp(contextLength - 2, 1, Prompt);
        Require(runner.Resize(new KvShape(1, LengthBuckets.For(length + 1, contextLength)), []));
        Require(runner.Prefill(0, [Enumerable.Range(0, length).Select(i => Token(runner, i)).ToArray()]));
        var prefilled = runner.Logits(0).ToArray();
        Require(runner.Decode([Token(runner, length)], [length]));
        return [.. prefilled, .. runner.Logits(0)];
    }

    /// <summary>Evenly spread, what a manifest keeps of them.</summary>
    public static float[] Sample(float[] answers)
    {
        var step = Math.Max(1, answers.Length / Kept);
        return [.. Enumerable.Range(0, answers.Length / step).Select(i => answers[i * step])];
    }

    public static bool IsSame(IReadOnlyList<float> expected, IReadOnlyList<float> sample)
    {
        if (expected.Count != sample.Count || expected.Count == 0) return false;
        var allowed = (expected.Max() - expected.Min()) * Tolerance;
        for (var i = 0; i < sample.Count; i++)
        {
            if (!(Math.Abs(expected[i] - sample[i]) <= allowed)) return false;
        }

        return true;
    }

    private static int Token(IModelRunner runner, int position) => (int)(((position + 1) * 104_729L) % runner.VocabularySize);

    private static void Require(StepOutcome outcome)
    {
        if (outcome.Result != StepResult.Completed)
            throw new ModelLoadException($"a run failed: {outcome.Fault?.Message ?? "out of memory"}", outcome.Fault!);
    }
}
