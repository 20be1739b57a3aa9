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
    public static LoadedVariant Open(ModelFolder folder, ModelVariant variant, RuntimeOptions runtime, EngineOptions options, TimeProvider time) =>
        Open(folder, variant, ModelText.Load(folder), runtime, options, time);

    /// <summary>The same with a tokenizer that another variant of the model has loaded already.</summary>
    internal static LoadedVariant Open(ModelFolder folder, ModelVariant variant, ModelText text, RuntimeOptions runtime, EngineOptions options, TimeProvider time)
    {
        var began = time.GetTimestamp();
        var runner = OrtModelRunner.Open(folder, variant, runtime);
        var loaded = time.GetTimestamp();
        try
        {
            Warmup.Run(runner, folder.Config.ContextLength);
        }
        catch (ModelLoadException)
        {
            runner.Dispose();
            throw;
        }

        var warmed = time.GetTimestamp();
        return new LoadedVariant(folder, variant, text, runner, options, runner.Provider, time)
        {
            IsPrepared = runner.IsPrepared,
            PreparedRefusal = runner.PreparedRefusal,
            LoadTime = time.GetElapsedTime(began, loaded),
            WarmupTime = time.GetElapsedTime(loaded, warmed),
        };
    }

    /// <summary>Ends what still runs; the engine's thread frees the session as its last act.</summary>
    public ValueTask DisposeAsync() => Engine.DisposeAsync();
}
