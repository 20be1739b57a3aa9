using R1Serverless.Runtime;

namespace R1Serverless.Generation;

/// <summary>The bare loop's prepared batches of one variant, one for each number of rows.</summary>
public sealed class DecodeRates : IDisposable
{
    /// <summary>Short: only decode steps are timed.</summary>
    private const int PromptTokens = 8;

    /// <summary>Steps of a run: the fewest, and the most where a run would else be over too soon.</summary>
    private const int LeastSteps = 16, MostSteps = 192;

    private static readonly TimeSpan WantedTime = TimeSpan.FromSeconds(0.4);

    private readonly RawLoop _loop;
    private readonly Dictionary<int, RawBatch> _batches = [];
    private readonly int _contextLength;

    /// <summary>Loads the graph. Blocks for as long as that takes.</summary>
    /// <param name="graphPath">The variant's graph.</param>
    /// <param name="contextLength">The model's.</param>
    /// <param name="options">Where and with how many threads it runs.</param>
    /// <exception cref="ModelLoadException">The file is missing or no decoder graph.</exception>
    public DecodeRates(string graphPath, int contextLength, RuntimeOptions options) => (_loop, _contextLength) = (new RawLoop(graphPath, options), contextLength);

    /// <summary>Decoded tokens per second of one run, all rows together. The first call for a number of rows prepares it.</summary>
    public double Run(int rows)
    {
        if (!_batches.TryGetValue(rows, out var batch)) _batches.Add(rows, batch = Prepare(rows));
        return batch.Run().DecodeRate;
    }

    public void Dispose()
    {
        foreach (var batch in _batches.Values) batch.Dispose();
        _loop.Dispose();
    }

    private RawBatch Prepare(int rows)
    {
        var room = _contextLength - PromptTokens;
        var batch = _loop.Prepare(rows, PromptTokens, Math.Min(LeastSteps + 1, room));
        var step = batch.Run().Decode / LeastSteps;
        var steps = (int)Math.Min(WantedTime / step, MostSteps);
        if (steps <= LeastSteps || steps >= room) return batch;
        batch.Dispose();
        return _loop.Prepare(rows, PromptTokens, steps + 1);
    }
}
