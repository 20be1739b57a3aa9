using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Runtime;
using R1Serverless.Engine.Sampling;
using R1Serverless.Scheduling;

namespace R1Serverless.Engine.Evaluation;

/// <summary>
/// Two variants over the very same tokens: the reference answers greedily, the other is fed what the reference said, and what both expect next is
/// compared at every token of the answer. Two that went their own ways would soon compare different texts.
/// </summary>
/// <param name="reference">Leads.</param>
/// <param name="other">Follows; the vocabulary is the reference's.</param>
/// <param name="contextLength">The most tokens of a prompt and its answer.</param>
/// <param name="endTokens">End an answer; they are compared as well.</param>
internal sealed class LockStep(IModelRunner reference, IModelRunner other, int contextLength, IReadOnlyList<int> endTokens)
{
    /// <summary>Answers under way at once.</summary>
    public const int Rows = 16;

    private readonly Divergence _divergence = new(reference.VocabularySize);
    private Agreement _agreement;

    /// <param name="prompts">Each of at least one token and fewer than the context.</param>
    /// <param name="maxTokens">The longest that an answer is followed.</param>
    /// <param name="progress">Told how many prompts are done.</param>
    /// <param name="cancellation">Stops between two steps.</param>
    /// <exception cref="ModelLoadException">A step failed or ran out of memory.</exception>
    public Agreement Compare(IReadOnlyList<int[]> prompts, int maxTokens, IProgress<int>? progress, CancellationToken cancellation)
    {
        _agreement = default;
        var done = 0;
        foreach (var batch in prompts.Chunk(Rows))
        {
            Follow(batch, maxTokens, cancellation);
            progress?.Report(done += batch.Length);
        }

        return _agreement;
    }

    private void Follow(int[][] prompts, int maxTokens, CancellationToken cancellation)
    {
        var longest = Math.Min(prompts.Max(p => p.Length) + maxTokens, contextLength);
        var shape = new KvShape(prompts.Length, LengthBuckets.For(longest, contextLength));
        Both(runner => runner.Resize(shape, []));
        var (tokens, cached, isOpen) = (new int[prompts.Length], new int[prompts.Length], new bool[prompts.Length]);
        for (var row = 0; row < prompts.Length; row++)
        {
            Prefill(row, prompts[row], cancellation);
            (cached[row], isOpen[row]) = (prompts[row].Length, true);
            Take(row, logitsRow: 0);
        }

        for (var step = 1; step < maxTokens && isOpen.Contains(true); step++)
        {
            cancellation.ThrowIfCancellationRequested();
            Both(runner => runner.Decode(tokens, cached));
            for (var row = 0; row < prompts.Length; row++)
            {
                // An answer that has ended stays where it is, and is run along.
                if (!isOpen[row]) continue;
                cached[row]++;
                Take(row, row);
            }
        }

        void Take(int row, int logitsRow)
        {
            tokens[row] = CompareAt(logitsRow);
            isOpen[row] = !endTokens.Contains(tokens[row]) && cached[row] < longest;
            if (!isOpen[row]) cached[row]--;
        }
    }

    private void Prefill(int slot, int[] prompt, CancellationToken cancellation)
    {
        for (var start = 0; start < prompt.Length;)
        {
            cancellation.ThrowIfCancellationRequested();
            var (from, count) = (start, PrefillRules.ChunkLength(prompt.Length, start));
            Both(runner => runner.PrefillChunk(slot, from, prompt.AsMemory(from, count)));
            start += count;
        }
    }

    /// <summary>Counts one place; gives the reference's token.</summary>
    private int CompareAt(int row)
    {
        Span<float> expected = reference.Logits(row), found = other.Logits(row);
        var token = Argmax.Of(expected);
        _agreement = _agreement.Add(Argmax.Of(found) == token, _divergence.Between(expected, found));
        return token;
    }

    private void Both(Func<IModelRunner, StepOutcome> step)
    {
        foreach (var runner in (IModelRunner[])[reference, other])
        {
            var outcome = step(runner);
            if (outcome.Result != StepResult.Completed)
                throw new ModelLoadException($"a step of the comparison failed: {outcome.Fault?.Message ?? "out of memory"}", outcome.Fault!);
        }
    }
}
