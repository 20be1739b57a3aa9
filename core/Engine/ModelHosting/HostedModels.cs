using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Threading;
using R1Serverless.Engine.Devices;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Engine.ModelHosting;

/// <summary>The models of a host with their variants, and which of them a request gets. Asked under <see cref="Gate"/>.</summary>
internal sealed class HostedModels
{
    private readonly Dictionary<string, HostedVariant[]> _models;
    private readonly List<HostedVariant> _beside = [];
    private readonly HashSet<string> _held = new(StringComparer.Ordinal);
    private readonly long _kvMemory;
    private readonly ModelHostOptions _options;
    private readonly TimeProvider _time;
    private bool _isOnPreferred;

    public HostedModels(IReadOnlyList<HostedVariant> variants, ModelHostOptions options, TimeProvider time, long kvMemory = 0)
    {
        (Device, _options, _time, _kvMemory) = (options.Device, options, time, kvMemory);
        _models = variants.GroupBy(one => one.Folder.Name, StringComparer.Ordinal)
            .ToDictionary(group => group.Key, group => group.ToArray(), StringComparer.Ordinal);
    }

    /// <summary>Guards everything here, and what changes of the variants.</summary>
    public Lock Gate { get; } = new();

    /// <summary>Set when there may be room: a load has ended, well or not, or a variant has left or is idle.</summary>
    public AsyncSignal Room { get; } = new();

    /// <summary>Every variant, in the order of the models and of their manifests; after them those of versions that come and go.</summary>
    public IEnumerable<HostedVariant> All => _models.Values.SelectMany(variants => variants).Concat(_beside);

    /// <summary>The execution provider whose measurements count: the first to try, until a load tells which one there is.</summary>
    public string Device { get; set; }

    /// <summary>Why a variant that was loaded is better not used: it found no room on the device where others run, and is far slower on this one.
    /// Null where it may be.</summary>
    public string? Settle(string device)
    {
        _isOnPreferred |= device == _options.Device;
        return device == _options.Device || !_isOnPreferred ? null
            : $"it could be loaded on {device} only, while others run on {_options.Device}: they may take all of its memory (--gpu-memory bounds "
            + "that of each)";
    }

    /// <exception cref="ModelLoadException">A name is there twice, or a model has no variant that fits into the memory.</exception>
    public static HostedModels Of(IReadOnlyList<ModelFolder> folders, ModelHostOptions options, long kvMemory, TimeProvider time)
    {
        if (folders.GroupBy(folder => folder.Name, StringComparer.Ordinal).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new ModelLoadException($"two models have the name '{twice.Key}'; a request could not tell them apart");
        var models = new HostedModels([.. folders.SelectMany(folder => Variants(folder, options.Device, kvMemory))], options, time, kvMemory);
        if (folders.Select(folder => Misfit(folder.Name, folder.Manifest.Variants, options, kvMemory))
            .FirstOrDefault(misfit => misfit is not null) is { } misfit) throw new ModelLoadException(misfit);
        return models;
    }

    /// <summary>Why no variant of a model fits into the memory; null where one does.</summary>
    public static string? Misfit(string model, IReadOnlyList<ModelVariant> variants, ModelHostOptions options, long kvMemory) =>
        variants.Min(one => MemoryOf(one, options.Device, kvMemory)) is var smallest && smallest > options.MemoryBytes
            ? $"even the smallest variant of {model} needs {Mebibytes(smallest)} with its keys and values, and models may take "
            + $"{Mebibytes(options.MemoryBytes)}: give them more memory, or less to keys and values"
            : null;

    /// <summary>What it grew to when it was measured, or at least its weights, as a graph's working memory is not known before; and its keys and
    /// values.</summary>
    public static long MemoryOf(ModelVariant variant, string device, long kvMemory) =>
        Math.Max(variant.Bytes, VariantSelection.On(variant, device)?.MemoryBytes ?? 0) + kvMemory;

    /// <summary>The variants of another version, of which nothing is loaded yet.</summary>
    public HostedVariant[] Add(ModelFolder next)
    {
        HostedVariant[] candidates = [.. Variants(next, Device, _kvMemory)];
        foreach (var one in candidates) one.Role = VersionRole.Candidate;
        _beside.AddRange(candidates);
        return candidates;
    }

    /// <summary>From now on requests get the candidates; gives the variants that they got before.</summary>
    public HostedVariant[] Promote(string model, HostedVariant[] candidates)
    {
        var before = _models[model];
        _beside.RemoveAll(candidates.Contains);
        _beside.AddRange(before);
        _models[model] = candidates;
        foreach (var one in candidates) one.Role = VersionRole.Current;
        foreach (var one in before) one.Role = VersionRole.Retiring;
        return before;
    }

    /// <summary>A variant of a version that has gone.</summary>
    public void Forget(HostedVariant one) => _beside.Remove(one);

    /// <summary>While a model is held, requests to it wait.</summary>
    public void Hold(string model, bool isHeld)
    {
        if (isHeld) _held.Add(model);
        else _held.Remove(model);
    }

    /// <summary>Whether the noise of a request's inputs tells which of a model's variants serves it.</summary>
    public bool CountsNoise(string model) => Of(model).Any(one => VariantSelection.On(one.Variant, Device)?.Noise is { Count: > 1 });

    public bool IsHeld(string model) => _held.Contains(model);

    /// <summary>The variants of a model; empty where there is none of that name.</summary>
    public IReadOnlyList<HostedVariant> Of(string model) => _models.GetValueOrDefault(model, []);

    /// <summary>The variant for a request and why, or the reason why it gets none.</summary>
    /// <param name="noise">See <see cref="VariantSelection.Choose"/>.</param>
    public InferenceError? Choose(string model, PrecisionPreference preference, double? noise, out HostedVariant? chosen, out string reason)
    {
        (chosen, reason) = (null, "");
        if (!_models.TryGetValue(model, out var variants))
            return new InferenceError(InferenceErrorKind.ModelNotFound,
                $"The model '{model}' does not exist; there is {string.Join(", ", _models.Keys)}.", "model");
        // A named variant is what it is; for "auto", those that would not come up are not there.
        var usable = preference.Named is null ? [.. variants.Where(one => Obstacle(one) is null)] : variants;
        if (usable.Length == 0) return variants.Select(Obstacle).OfType<InferenceError>().MinBy(error => error.RetryAfter ?? TimeSpan.MaxValue);
        var selection = VariantSelection.Choose(
            model, [.. usable.Select(one => one.Variant)], Device,
            variant => Array.Exists(usable, one => one.Variant == variant && one.Loaded is not null), preference, noise);
        // One that failed to load may come up later, and be what "auto" wants.
        if (selection.Variant is null)
            return variants.Except(usable).Select(Obstacle).FirstOrDefault(error => error?.RetryAfter is not null) ?? selection.Error;
        (chosen, reason) = (Array.Find(usable, one => one.Variant == selection.Variant), selection.Reason);
        return Obstacle(chosen!);
    }

    /// <summary>Why a variant can't be loaded now, whatever else is in memory; null where it can.</summary>
    private InferenceError? Obstacle(HostedVariant one)
    {
        if (one.TakesMemory) return null;
        var name = $"The {PrecisionName.Of(one.Variant.Precision)} variant of '{one.Folder.Name}'";
        if (one.MemoryBytes > _options.MemoryBytes)
            return new InferenceError(InferenceErrorKind.InvalidRequest,
                $"{name} needs {Mebibytes(one.MemoryBytes)}; this server gives models {Mebibytes(_options.MemoryBytes)}.", "precision");
        if (one.Failure is null || _options.RetryLoad - _time.GetElapsedTime(one.FailedAt) is var left && left <= TimeSpan.Zero) return null;
        return new InferenceError(InferenceErrorKind.Unavailable, $"{name} could not be loaded; the server's log says why.", RetryAfter: left);
    }

    private static IEnumerable<HostedVariant> Variants(ModelFolder folder, string device, long kvMemory)
    {
        var text = new HostedText(folder);
        // Only decoders have keys and values.
        if (folder.Manifest.Kind != ModelKind.Decoder) kvMemory = 0;
        foreach (var variant in folder.Manifest.Variants) yield return new HostedVariant(folder, variant, text, MemoryOf(variant, device, kvMemory));
    }

    private static string Mebibytes(long bytes) => $"{(bytes + (1 << 20) - 1) >> 20} MiB";
}
