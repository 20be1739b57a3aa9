using R1Serverless.Generation;
using R1Serverless.Models;
using R1Serverless.Runtime;

namespace R1Serverless.Bench;

/// <summary>One variant's engine beside the bare loop over the same graph: the same rows, prompts and outputs.</summary>
internal sealed class EnginePair : IAsyncDisposable
{
    private const int PromptTokens = 8, OutputTokens = 48, WarmupTokens = 16;

    /// <summary>The least time that a measurement of the bare loop should take.</summary>
    private const double Seconds = 0.5;

    private readonly ModelFolder _folder;
    private readonly RawLoop _loop;
    private readonly LocalInference _engine;

    /// <summary>Loads the engine. Blocks for as long as that takes.</summary>
    /// <exception cref="ModelLoadException">The variant can't be loaded or run.</exception>
    public EnginePair(ModelFolder folder, ModelVariant variant, RawLoop loop, RuntimeOptions runtime, EngineOptions options, TimeProvider time)
    {
        (_folder, _loop) = (folder, loop);
        _engine = new LocalInference([LoadedVariant.OpenAlone(folder, variant, runtime, options, time)]);
    }

    /// <summary>The engine's tokens per second, with the bare loop's as companion.</summary>
    public InterleavedRates Pair(int rows, CancellationToken cancellation)
    {
        var waves = (int)Math.Clamp(Math.Ceiling(Seconds / RunRaw(rows)), 1, 64);
        var shape = LoadShape.Uniform(rows, waves, PromptTokens, OutputTokens);
        var isWarm = false;
        return new InterleavedRates(EngineAsync, () => Task.FromResult(rows * OutputTokens * waves / Enumerable.Range(0, waves).Sum(_ => RunRaw(rows))));

        async Task<double> EngineAsync()
        {
            if (!isWarm) await LoadAsync(LoadShape.Uniform(rows, 1, PromptTokens, WarmupTokens));
            isWarm = true;
            return (await LoadAsync(shape)).TokensPerSecond;
        }

        Task<LoadResult> LoadAsync(LoadShape load) => LoadGenerator.RunAsync(load, new EngineDoor(_engine, _folder.Name).SendAsync, cancellation);
    }

    public ValueTask DisposeAsync() => _engine.DisposeAsync();

    /// <summary>Seconds of one batch.</summary>
    private double RunRaw(int rows) => _loop.Run(rows, PromptTokens, OutputTokens).TotalSeconds;
}
