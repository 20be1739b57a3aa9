using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Evaluation;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Runtime;
using R1Serverless.Engine.Steps;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Bench;

/// <summary>One variant's engine beside the bare loop over the same graph: the same rows, prompts and outputs.</summary>
internal sealed class EnginePair : IAsyncDisposable
{
    private const int WarmupTokens = 16;

    /// <summary>The least time that a measurement of the bare loop should take.</summary>
    private const double Seconds = 0.5;

    private readonly ModelFolder _folder;
    private readonly RawLoop _loop;
    private readonly LocalInference _engine;
    private readonly PairShape _shape;

    /// <summary>Loads the engine. Blocks for as long as that takes.</summary>
    /// <exception cref="ModelLoadException">The variant can't be loaded or run.</exception>
    public EnginePair(
        ModelFolder folder, ModelVariant variant, RawLoop loop, RuntimeOptions runtime, EngineOptions options, TimeProvider time,
        PairShape? shape = null)
    {
        (_folder, _loop, _shape) = (folder, loop, shape ?? PairShape.Short);
        _engine = new LocalInference([LoadedVariant.OpenAlone(folder, variant, runtime, options, time)]);
    }

    /// <summary>The engine's tokens per second, with the bare loop's as companion.</summary>
    /// <param name="keep">Told what each measurement of the engine gave.</param>
    public InterleavedRates Pair(int rows, CancellationToken cancellation, Action<LoadResult>? keep = null)
    {
        var (prompt, output) = (_shape.PromptTokens, _shape.OutputTokens);
        var waves = (int)Math.Clamp(Math.Ceiling(Seconds / RunRaw(rows)), 1, 64);
        var isWarm = false;
        return new InterleavedRates(EngineAsync, () => Task.FromResult(rows * output * waves / Enumerable.Range(0, waves).Sum(_ => RunRaw(rows))));

        async Task<double> EngineAsync()
        {
            if (!isWarm) await LoadAsync(LoadShape.Uniform(rows, 1, prompt, Math.Min(WarmupTokens, output)));
            isWarm = true;
            cancellation.ThrowIfCancellationRequested();
            var result = await LoadAsync(LoadShape.Uniform(rows, waves, prompt, output));
            keep?.Invoke(result);
            return result.TokensPerSecond;
        }

        Task<LoadResult> LoadAsync(LoadShape load) => LoadGenerator.RunAsync(load, new LoadClient(_engine, _folder.Name).SendAsync, cancellation);
    }

    public ValueTask DisposeAsync() => _engine.DisposeAsync();

    /// <summary>Seconds of one batch.</summary>
    private double RunRaw(int rows) => _loop.Run(rows, _shape.PromptTokens, _shape.OutputTokens).TotalSeconds;
}

/// <summary>The tokens of one request.</summary>
internal sealed record PairShape(int PromptTokens, int OutputTokens)
{
    /// <summary>For many measurements of a model that may be slow.</summary>
    public static PairShape Short { get; } = new(8, 48);
}
