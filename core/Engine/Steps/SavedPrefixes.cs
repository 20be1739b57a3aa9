using R1Serverless.Abstractions.Telemetry;
using R1Serverless.Engine.Runtime;
using R1Serverless.Scheduling;
using R1Serverless.Scheduling.Prefixes;

namespace R1Serverless.Engine.Steps;

/// <summary>Shared prefixes that are on the disk, and whether to take them from there. Used by the engine's thread only.</summary>
internal sealed class SavedPrefixes(IModelRunner runner, PrefixFile file, string model) : IDisposable
{
    /// <summary>Of the newest measurement in an average.</summary>
    private const double Weight = 0.2;

    private readonly byte[] _block = new byte[runner.BlockBytes];
    private double _recallSeconds, _prefillSeconds;

    /// <summary>Whether a token comes from the disk sooner than it is computed, by what was measured of both; true until it was.</summary>
    public bool IsSooner
    {
        get
        {
            if (_recallSeconds == 0 || _prefillSeconds == 0 || _recallSeconds < _prefillSeconds) return true;
            // A disk that was slow once is tried again later.
            _recallSeconds *= 1 - Weight;
            return false;
        }
    }

    /// <summary>Tokens of a prompt's beginning that are kept or on the disk.</summary>
    /// <param name="kept">Of those, the ones that are kept.</param>
    public int Known(ScheduledSequence sequence, int kept)
    {
        var keys = Keys(sequence);
        var known = kept / PrefixTree.BlockTokens;
        while (known < keys.Length && file.Contains(keys[known])) known++;
        return known * PrefixTree.BlockTokens;
    }

    /// <summary>Fills blocks of a prompt.</summary>
    /// <returns>How many of them, from the first on.</returns>
    public int Fill(ScheduledSequence sequence, IReadOnlyList<PrefixBlock> blocks)
    {
        var keys = Keys(sequence);
        var filled = 0;
        while (filled < blocks.Count && file.TryRead(keys[blocks[filled].Start / PrefixTree.BlockTokens], _block)
            && runner.WriteBlock(blocks[filled].Block, _block).Result == StepResult.Completed) filled++;
        return filled;
    }

    public void Save(PrefixKey key, int block)
    {
        runner.ReadBlock(block, _block);
        if (file.Write(key, _block)) Instruments.OnPrefixSaved(model, PrefixTree.BlockTokens);
    }

    public void OnRecalled(int tokens, TimeSpan elapsed)
    {
        Instruments.OnPrefixRecalled(model, tokens);
        Observe(ref _recallSeconds, tokens, elapsed);
    }

    public void OnPrefilled(int tokens, TimeSpan elapsed) => Observe(ref _prefillSeconds, tokens, elapsed);

    public void Dispose() => file.Dispose();

    private static PrefixKey[] Keys(ScheduledSequence sequence) => PrefixKey.Of(
        sequence.PrefixSalt!, sequence.Prompt.Span, PrefixTree.Shareable(sequence.PromptLength) / PrefixTree.BlockTokens);

    private static void Observe(ref double seconds, int tokens, TimeSpan elapsed)
    {
        var one = elapsed.TotalSeconds / tokens;
        seconds = seconds == 0 ? one : (seconds * (1 - Weight)) + (one * Weight);
    }
}
