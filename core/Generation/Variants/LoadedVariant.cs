using R1Serverless.Models;
using R1Serverless.Runtime;

namespace R1Serverless.Generation;

/// <summary>One variant of a model, in memory and warmed, with its engine.</summary>
public sealed class LoadedVariant : IAsyncDisposable
{
    /// <summary>Takes ownership of the runner.</summary>
    internal LoadedVariant(ModelFolder folder, ModelVariant variant, ModelText text, IModelRunner runner, EngineOptions options, ExecutionProvider provider, TimeProvider time)
    {
        (Folder, Variant, Text, Provider) = (folder, variant, text, provider);
        Engine = new Engine(runner, folder.Config.ContextLength, options, folder.Name, time);
    }

    /// <summary>The model's id, as requests name it.</summary>
    public string Id => Folder.Name;

    public ModelFolder Folder { get; }

    public ModelVariant Variant { get; }

    /// <summary>Where it runs.</summary>
    public ExecutionProvider Provider { get; }

    /// <summary>From the files to a session.</summary>
    public TimeSpan LoadTime { get; private init; }

    public TimeSpan WarmupTime { get; private init; }

    /// <summary>Dummy runs, and whether they had become as fast as they will be.</summary>
    public WarmupResult Warmup { get; private init; }

    /// <summary>When the session was there, a timestamp of the clock that it was opened with.</summary>
    public long SessionAt { get; private init; }

    /// <summary>When it was warm.</summary>
    public long WarmAt { get; private init; }

    /// <summary>Whether it runs what `r1 model prepare` made.</summary>
    public bool IsPrepared { get; private init; }

    /// <summary>Why it does not, although something was prepared, in words; else null.</summary>
    public string? PreparedRefusal { get; private init; }

    /// <summary>What its engine has to do right now.</summary>
    public EngineLoad Load => Engine.Load;

    internal Engine Engine { get; }

    internal ModelText Text { get; }

    internal ITokenizer Tokenizer => Text.Tokenizer;

    /// <summary>Loads and warms a variant of the folder. Blocks for as long as that takes.</summary>
    /// <exception cref="ModelLoadException">The graph can't be loaded or run.</exception>
    /// <exception cref="InvalidModelException">A file of the folder is damaged.</exception>
    public static LoadedVariant OpenAlone(ModelFolder folder, ModelVariant variant, RuntimeOptions runtime, EngineOptions options, TimeProvider time) =>
        Open(folder, variant, runtime, options, time).Complete(ModelText.Load(folder));

    /// <summary>The same without the tokenizer, which may be read meanwhile, or be another variant's.</summary>
    internal static OpenedVariant Open(ModelFolder folder, ModelVariant variant, RuntimeOptions runtime, EngineOptions options, TimeProvider time)
    {
        var began = time.GetTimestamp();
        var runner = OrtModelRunner.Open(folder, variant, runtime);
        var loaded = time.GetTimestamp() - (long)(runner.ProofTime.TotalSeconds * time.TimestampFrequency);
        var warmup = default(WarmupResult);
        try
        {
            if (options.Prewarms) warmup = Runtime.Warmup.Run(runner, Engine.LimitsOf(runner, folder.Config.ContextLength, options), runner.ProofTime, time);
        }
        catch (ModelLoadException)
        {
            runner.Dispose();
            throw;
        }

        var warmed = time.GetTimestamp();
        return new OpenedVariant(
            text => new LoadedVariant(folder, variant, text, runner, options, runner.Provider, time)
            {
                LoadTime = time.GetElapsedTime(began, loaded),
                WarmupTime = time.GetElapsedTime(loaded, warmed),
                Warmup = warmup,
                SessionAt = loaded,
                WarmAt = warmed,
                IsPrepared = runner.IsPrepared,
                PreparedRefusal = runner.PreparedRefusal,
            },
            runner.Dispose);
    }

    /// <summary>Ends what still runs; the engine's thread frees the session as its last act.</summary>
    public ValueTask DisposeAsync() => Engine.DisposeAsync();
}
