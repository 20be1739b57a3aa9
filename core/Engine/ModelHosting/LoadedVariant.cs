using R1Serverless.Abstractions.Tensors;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Runtime;
using R1Serverless.Engine.Steps;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Engine.ModelHosting;

/// <summary>One variant of a model, in memory and warmed, with what runs it.</summary>
public abstract class LoadedVariant : IAsyncDisposable
{
    private protected LoadedVariant(ModelFolder folder, ModelVariant variant, ExecutionProvider provider) =>
        (Folder, Variant, Provider) = (folder, variant, provider);

    /// <summary>The model's id, as requests name it.</summary>
    public string Id => Folder.Name;

    public ModelFolder Folder { get; }

    public ModelVariant Variant { get; }

    /// <summary>Where it runs.</summary>
    public ExecutionProvider Provider { get; }

    /// <summary>From the files to a session.</summary>
    public TimeSpan LoadTime { get; private protected init; }

    public TimeSpan WarmupTime { get; private protected init; }

    /// <summary>Dummy runs, and whether they had become as fast as they will be.</summary>
    public WarmupResult Warmup { get; private protected init; }

    /// <summary>When the session was there, a timestamp of the clock that it was opened with.</summary>
    public long SessionAt { get; private protected init; }

    /// <summary>When it was warm.</summary>
    public long WarmAt { get; private protected init; }

    /// <summary>Whether it runs what `r1 model prepare` made.</summary>
    public bool IsPrepared { get; private protected init; }

    /// <summary>Whether prompts that begin alike are computed once; not where that was switched off, or would change bits on this machine.</summary>
    public bool SharesPrefixes { get; private protected init; }

    /// <summary>Why it does not, although something was prepared, in words; else null.</summary>
    public string? PreparedRefusal { get; private protected init; }

    /// <summary>Why shared prefixes are not kept on the disk although they should be, in words; else null.</summary>
    public string? PrefixFileRefusal { get; private protected init; }

    /// <summary>What it takes and gives, and whether requests share runs; null for a decoder.</summary>
    public virtual TensorSignature? Signature => null;

    /// <summary>Why it takes no texts, although it looks like an encoder, in words; else null.</summary>
    public virtual string? TextRefusal => null;

    /// <summary>How it reads text; null where it takes none.</summary>
    internal abstract ModelText? Text { get; }

    /// <summary>What it has to do right now.</summary>
    public abstract EngineLoad Load { get; }

    /// <summary>Loads and warms a variant of the folder. Blocks for as long as that takes.</summary>
    /// <exception cref="ModelLoadException">The graph can't be loaded or run.</exception>
    /// <exception cref="InvalidModelException">A file of the folder is damaged.</exception>
    public static LoadedVariant OpenAlone(ModelFolder folder, ModelVariant variant, RuntimeOptions runtime, EngineOptions options,
        TimeProvider time) =>
        Open(folder, variant, runtime, options, time).Complete(ModelText.Load(folder));

    /// <summary>The same without the tokenizer, which may be read meanwhile, or be another variant's.</summary>
    internal static OpenedVariant Open(ModelFolder folder, ModelVariant variant, RuntimeOptions runtime, EngineOptions options, TimeProvider time) =>
        folder.Manifest.Kind == ModelKind.Decoder ? LoadedDecoder.OpenDecoder(folder, variant, runtime, options, time)
        : LoadedTensors.OpenTensors(folder, variant, runtime, options, time);

    /// <summary>Ends what still runs, and frees the session.</summary>
    public abstract ValueTask DisposeAsync();
}
