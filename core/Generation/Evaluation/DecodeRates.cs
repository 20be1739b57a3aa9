using R1Serverless.Runtime;

namespace R1Serverless.Generation;

/// <summary>The bare loop's prepared batches of one variant, one for each number of rows.</summary>
public sealed class DecodeRates : IDisposable
{
    /// <summary>Short: only decode steps are timed.</summary>
    private const int PromptTokens = 8;

    /// <summary>Steps of a run; fewer where they take long.</summary>
    private const int MostSteps = 64, LeastSteps = 16;

    /// <summary>A measurement is as many runs as take this long.</summary>
    private static readonly TimeSpan LeastTime = TimeSpan.FromSeconds(0.25);

    private readonly RawLoop _loop;
    private readonly Dictionary<int, RawBatch> _batches = [];
    private readonly int _contextLength;

    /// <summary>Loads the graph. Blocks for as long as that takes.</summary>
    /// <param name="graphPath">The variant's graph.</param>
    /// <param name="contextLength">The model's.</param>
    /// <param name="options">Where and with how many threads it runs.</param>
    /// <exception cref="ModelLoadException">The file is missing or no decoder graph.</exception>
    public DecodeRates(string graphPath, int contextLength, RuntimeOptions options) => (_loop, _contextLength) = (new RawLoop(graphPath, options), contextLength);

    /// <summary>Decoded tokens per second, all rows together. The first call for a number of rows prepares it.</summary>
    public double Measure(int rows)
    {
        if (!_batches.TryGetValue(rows, out var batch)) _batches.Add(rows, batch = Prepare(rows));
        var (tokens, time) = (0L, TimeSpan.Zero);
        while (time < LeastTime)
        {
            var run = batch.Run();
            (tokens, time) = (tokens + run.DecodedTokens, time + run.Decode);
        }

        return tokens / time.TotalSeconds;
    }

    public void Dispose()
    {
        foreach (var batch in _batches.Values) batch.Dispose();
        _loop.Dispose();
    }

    private RawBatch Prepare(int rows)
    {
        var most = Math.Min(MostSteps, _contextLength - PromptTokens - 1);
        var batch = _loop.Prepare(rows, PromptTokens, Math.Min(LeastSteps, most) + 1);
        if (batch.Run().Decode >= LeastTime || most <= LeastSteps) return batch;
        batch.Dispose();
        return _loop.Prepare(rows, PromptTokens, most + 1);
    }
}
