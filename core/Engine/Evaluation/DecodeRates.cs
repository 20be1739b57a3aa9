using R1Serverless.Engine.Runtime;

namespace R1Serverless.Engine.Evaluation;

/// <summary>How fast the bare loop decodes with one variant; keeps a prepared batch for each number of rows.</summary>
/// <param name="loop">The variant's. It must outlive this.</param>
/// <param name="contextLength">The model's.</param>
public sealed class DecodeRates(RawLoop loop, int contextLength) : IDisposable
{
    /// <summary>Short: only decode steps are timed.</summary>
    private const int PromptTokens = 8;

    /// <summary>Steps of a run; fewer where they take long.</summary>
    private const int MaxSteps = 64, MinSteps = 16;

    /// <summary>A measurement is as many runs as take this long.</summary>
    private static readonly TimeSpan MinTime = TimeSpan.FromSeconds(0.25);

    private readonly Dictionary<int, RawBatch> _batches = [];

    /// <summary>Decoded tokens per second, all rows together. The first call for a number of rows prepares it.</summary>
    public double Measure(int rows)
    {
        if (!_batches.TryGetValue(rows, out var batch)) _batches.Add(rows, batch = Prepare(rows));
        var (tokens, time) = (0L, TimeSpan.Zero);
        while (time < MinTime)
        {
            var run = batch.Run();
            (tokens, time) = (tokens + run.DecodedTokens, time + run.Decode);
        }

        return tokens / time.TotalSeconds;
    }

    public void Dispose()
    {
        foreach (var batch in _batches.Values) batch.Dispose();
    }

    private RawBatch Prepare(int rows)
    {
        var most = Math.Clamp(contextLength - PromptTokens - 1, 1, MaxSteps);
        var batch = loop.Prepare(rows, PromptTokens, Math.Min(MinSteps, most) + 1);
        if (batch.Run().Decode >= MinTime || most <= MinSteps) return batch;
        batch.Dispose();
        return loop.Prepare(rows, PromptTokens, most + 1);
    }
}
