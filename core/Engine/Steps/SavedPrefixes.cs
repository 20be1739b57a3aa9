using R1Serverless.Abstractions.Telemetry;
using R1Serverless.Engine.Runtime;
using R1Serverless.Scheduling;
using R1Serverless.Scheduling.Prefixes;

namespace R1Serverless.Engine.Steps;

/// <summary>Shared prefixes that are on the disk, and whether to take them from there. Used by the engine's thread only.</summary>
internal sealed class SavedPrefixes(IModelRunner runner, PrefixFile file, string model) : IDisposable
{
    private readonly byte[] _block = new byte[runner.BlockBytes];
    private readonly TokenTime _recall = new(), _prefill = new();

    /// <summary>Whether a token comes from the disk sooner than it is computed, by what was measured of both; true until it was.</summary>
    public bool IsSooner
    {
        get
        {
            if (!(_recall.Seconds > _prefill.Seconds)) return true;
            // A disk that was slow once is tried again later.
            _recall.Forget();
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

    /// <summary>Saves a block, unless it is.</summary>
    public void Save(KeyedBlock block)
    {
        if (!file.CanWrite || file.Use(block.Key)) return;
        runner.ReadBlock(block.Block, _block);
        if (file.Write(block.Key, block.Before, _block)) Instruments.OnPrefixSaved(model, PrefixTree.BlockTokens);
    }

    /// <summary>Saves a block that those before it, where there are any, were saved before: without them it is of no use.</summary>
    public void SaveNew(KeyedBlock block)
    {
        if (block.Before is not { } before || file.Contains(before)) Save(block);
    }

    public void OnRecalled(int tokens, TimeSpan elapsed)
    {
        Instruments.OnPrefixRecalled(model, tokens);
        _recall.Observe(tokens, elapsed);
    }

    public void OnPrefilled(int tokens, TimeSpan elapsed) => _prefill.Observe(tokens, elapsed);

    public void Dispose() => file.Dispose();

    private static PrefixKey[] Keys(ScheduledSequence sequence) => PrefixKey.Of(
        sequence.PrefixSalt!, sequence.Prompt.Span, PrefixTree.Shareable(sequence.PromptLength) / PrefixTree.BlockTokens);

    /// <summary>The time of a token, of late. Runs count by their tokens: the rest of a prompt that is taken from others takes many times as long for
    /// each.</summary>
    private sealed class TokenTime
    {
        /// <summary>What is left of older measurements with each new one.</summary>
        private const double Left = 0.8;

        private double _seconds, _tokens;

        /// <summary>Not a number before there is one.</summary>
        public double Seconds => _seconds / _tokens;

        public void Observe(int tokens, TimeSpan elapsed) =>
            (_seconds, _tokens) = ((_seconds * Left) + elapsed.TotalSeconds, (_tokens * Left) + tokens);

        /// <summary>As if it had been faster.</summary>
        public void Forget() => _seconds *= Left;
    }
}
