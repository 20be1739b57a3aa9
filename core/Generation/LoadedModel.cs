using R1Serverless.Models;
using R1Serverless.Models.Tokenization;
using R1Serverless.Runtime;

namespace R1Serverless.Generation;

/// <summary>One variant of a model, in memory and warmed: its engine, tokenizer and chat template.</summary>
public sealed class LoadedModel : IAsyncDisposable
{
    private LoadedModel(ModelFolder folder, ModelVariant variant, Engine engine, ITokenizer tokenizer, ChatTemplate template, string device) =>
        (Folder, Variant, Engine, Tokenizer, Template, Device) = (folder, variant, engine, tokenizer, template, device);

    /// <summary>As requests name it.</summary>
    public string Id => Folder.Name;

    public ModelFolder Folder { get; }

    public ModelVariant Variant { get; }

    /// <summary>Where it runs, in words.</summary>
    public string Device { get; }

    /// <summary>From the files to a session.</summary>
    public TimeSpan LoadTime { get; private init; }

    public TimeSpan WarmupTime { get; private init; }

    /// <summary>What its engine has to do right now.</summary>
    public EngineLoad Load => Engine.Load;

    internal Engine Engine { get; }

    internal ITokenizer Tokenizer { get; }

    internal ChatTemplate Template { get; }

    /// <summary>Loads and warms the folder's first variant. Blocks for as long as that takes.</summary>
    /// <exception cref="ModelLoadException">The graph can't be loaded or run.</exception>
    /// <exception cref="InvalidModelException">A file of the folder is damaged.</exception>
    public static LoadedModel Open(ModelFolder folder, RuntimeOptions runtime, EngineOptions options, TimeProvider time)
    {
        var began = time.GetTimestamp();
        var variant = folder.Manifest.Variants[0];
        var tokenizer = HuggingFaceTokenizer.Load(folder.TokenizerPath);
        var template = ChatTemplate.For(tokenizer);
        var runner = new OrtModelRunner(OrtSession.Open(folder.GraphPath(variant), runtime));
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
        var engine = new Engine(runner, folder.Config.ContextLength, options, folder.Name, time);
        return new LoadedModel(folder, variant, engine, tokenizer, template, $"CPU, {runtime.EffectiveThreads} threads")
        {
            LoadTime = time.GetElapsedTime(began, loaded),
            WarmupTime = time.GetElapsedTime(loaded, warmed),
        };
    }

    public ValueTask DisposeAsync() => Engine.DisposeAsync();
}
