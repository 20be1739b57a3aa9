using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Prepared;
using R1Serverless.Engine.Probes;
using R1Serverless.Engine.Runtime;
using R1Serverless.Engine.Steps;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Models.Text;

namespace R1Serverless.Engine.ModelHosting;

/// <summary>A loaded variant of a decoder, with its engine.</summary>
internal sealed class LoadedDecoder : LoadedVariant
{
    /// <summary>Takes ownership of the runner.</summary>
    public LoadedDecoder(ModelFolder folder, ModelVariant variant, DecoderText text, IModelRunner runner, EngineOptions options,
        ExecutionProvider provider, TimeProvider time, PrefixFile? prefixes = null)
        : base(folder, variant, provider)
    {
        Text = text;
        SharesPrefixes = options.PrefixSharing != PrefixSharing.Off;
        Engine = new InferenceEngine(runner, folder.Config.ContextLength, options, folder.Name, time, prefixes);
    }

    public override EngineLoad Load => Engine.Load;

    public InferenceEngine Engine { get; }

    internal override DecoderText Text { get; }

    public ITokenizer Tokenizer => Text.Tokenizer;

    /// <summary>Loads and warms a variant, but for the tokenizer, which may be read meanwhile, or be another variant's.</summary>
    public static OpenedVariant OpenDecoder(ModelFolder folder, ModelVariant variant, RuntimeOptions runtime, EngineOptions options,
        TimeProvider time)
    {
        var began = time.GetTimestamp();
        var runner = VariantRunner.Open(folder, variant, runtime);
        var loaded = time.GetTimestamp() - (long)(runner.ProofTime.TotalSeconds * time.TimestampFrequency);
        var warmup = default(WarmupResult);
        try
        {
            // Tried here unless it was when it was prepared, since a kernel of another processor may round otherwise. A device's slots take all
            // of its memory for keys and values from the start, and leave nothing to keep prefixes in.
            if (options.PrefixSharing != PrefixSharing.Off
                && (runner.Provider.HasOwnMemory || !(runner.HasExactPrefixes ?? PrefixExactness.Holds(runner, folder.Config.ContextLength))))
                options = options with { PrefixSharing = PrefixSharing.Off };
            if (options.WarmsUp)
                warmup = VariantWarmup.Run(runner, InferenceEngine.LimitsOf(runner, folder.Config.ContextLength, options), runner.ProofTime, time);
        }
        catch (ModelLoadException)
        {
            runner.Dispose();
            throw;
        }

        var warmed = time.GetTimestamp();
        var (prefixes, refusal) = OpenPrefixes(folder, variant, runtime, options, runner);
        return new OpenedVariant(
            text => new LoadedDecoder(folder, variant, (DecoderText)text!, runner, options, runner.Provider, time, prefixes)
            {
                PrefixFileRefusal = refusal,
                LoadTime = time.GetElapsedTime(began, loaded),
                WarmupTime = time.GetElapsedTime(loaded, warmed),
                Warmup = warmup,
                SessionAt = loaded,
                WarmAt = warmed,
                IsPrepared = runner.IsPrepared,
                PreparedRefusal = runner.PreparedRefusal,
            },
            () =>
            {
                prefixes?.Dispose();
                runner.Dispose();
            });
    }

    /// <summary>A block's bits depend on all that a prepared graph depends on, on whether that is what runs, on the variant, and on this build's own
    /// code. Who shares differently has other salts, which must not meet.</summary>
    private static (PrefixFile? File, string? Refusal) OpenPrefixes(
        ModelFolder folder, ModelVariant variant, RuntimeOptions runtime, EngineOptions options, OrtModelRunner runner)
    {
        if (options.PrefixFolder is not { } place || options.PrefixSharing == PrefixSharing.Off) return (null, null);
        var path = Path.Combine(place, $"{folder.Name.Replace('/', '~')}-{PrecisionName.Of(variant.Precision)}.prefixes");
        var identity = $"{PreparedFolder.KeyOf(folder, variant, runtime)}\n{runner.IsPrepared}\n{PrecisionName.Of(variant.Precision)}\n"
            + $"{typeof(LoadedDecoder).Module.ModuleVersionId}\n{options.PrefixSharing}";
        var file = PrefixFile.Open(path, options.PrefixFileBytes, identity, runner.BlockBytes, out var refusal);
        return (file, refusal is null ? null : $"{path} is not used: {refusal}");
    }

    /// <summary>Ends what still runs; the engine's thread frees the session as its last act.</summary>
    public override ValueTask DisposeAsync() => Engine.DisposeAsync();
}
