using System.Runtime.ExceptionServices;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Steps;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Scheduling.Series;

namespace R1Serverless.Engine.ModelHosting;

/// <summary>Opens a variant, blocking for as long as that takes. A fault fails the requests that wait for it.</summary>
internal delegate OpenedVariant VariantOpener(ModelFolder folder, ModelVariant variant);

/// <summary>
/// The models of this process. Their variants share one memory budget: a request's variant is loaded when it is not there, one load per variant at a
/// time and on a thread of its own, and idle variants leave for it, the least recently used first. A variant with a request in it never leaves.
/// Any thread may ask.
/// </summary>
public sealed class ModelHost : IAsyncDisposable
{
    private static readonly TimeSpan RetryLater = TimeSpan.FromSeconds(5);

    private readonly HostedModels _models;
    private readonly ModelHostOptions _options;
    private readonly VariantLoader _loads;
    private readonly VersionSwap _swap;
    private readonly TimeProvider _time;
    private long _uses;
    private int _waiting;
    private bool _stopping;

    /// <param name="models">With different names.</param>
    /// <param name="engine">For each variant's engine.</param>
    /// <exception cref="ModelLoadException">A name is there twice, or a model has no variant that fits into the memory.</exception>
    public ModelHost(IReadOnlyList<ModelFolder> models, ModelHostOptions options, RuntimeOptions runtime, EngineOptions engine, TimeProvider time)
        : this(HostedModels.Of(models, options, engine.KvMemory, time), options,
        (folder, variant) => LoadedVariant.Open(folder, variant, runtime, engine, time), time)
    {
    }

    internal ModelHost(HostedModels models, ModelHostOptions options, VariantOpener open, TimeProvider time)
    {
        (_models, _options, _time, _loads) = (models, options, time, new VariantLoader(models, options, open, time));
        _swap = new VersionSwap(models, options, _loads, time);
    }

    /// <summary>Every variant, in the order of the models and of their manifests; after them those of versions that come and go.</summary>
    public IReadOnlyList<VariantStatus> Status
    {
        get
        {
            lock (_models.Gate) return [.. _models.All.Select(one => one.Status)];
        }
    }

    /// <summary>The execution provider whose measurements count.</summary>
    public string Device
    {
        get
        {
            lock (_models.Gate) return _models.Device;
        }
    }

    /// <summary>What series may take.</summary>
    internal SeriesLimits Series => _options.Series;

    internal TimeProvider Time => _time;

    /// <summary>Why a host with these options would not take a version of a model; null where it would.</summary>
    /// <param name="variants">Of the version.</param>
    /// <param name="usual">What requests get that name no precision.</param>
    public static string? Misfit(string model, IReadOnlyList<ModelVariant> variants, PrecisionPreference usual, ModelHostOptions options,
        EngineOptions engine) =>
        HostedModels.Misfit(model, variants, options, engine.KvMemory) ?? PreloadFit.Refusal(model, variants, usual, options, engine.KvMemory);

    /// <summary>A host of variants that are open already, at least one, whose ownership it takes; it loads and unloads nothing.</summary>
    public static ModelHost Of(IReadOnlyList<LoadedVariant> variants)
    {
        var options = new ModelHostOptions { MemoryBytes = long.MaxValue, Device = variants[0].Provider.Name };
        HostedVariant[] hosted = [.. variants.Select(one => new HostedVariant(one.Folder, one.Variant, HostedText.Of(one), 0) { Loaded = one })];
        return new ModelHost(
            new HostedModels(hosted, options, TimeProvider.System), options,
            (_, _) => throw new InvalidOperationException("This host loads nothing."), TimeProvider.System);
    }

    /// <summary>To be asked before several are loaded that are to stay: one that left for another would not be missed before a request is.</summary>
    public StartFit Fit(IReadOnlyList<(string Model, PrecisionPreference Wish)> together)
    {
        lock (_models.Gate) return PreloadFit.Choose(_models, together, _options.MemoryBytes);
    }

    /// <summary>Loads the variant that a request with this wish would get, unless it is loaded.</summary>
    /// <exception cref="ModelLoadException">There is no such variant, or no room for it. A fault of the load itself comes as it is.</exception>
    public async Task LoadAsync(string model, PrecisionPreference preference, CancellationToken cancellationToken)
    {
        var placement = await PlaceAsync(model, preference, cancellationToken);
        placement.Lease?.Dispose();
        if (placement.Error is not { } error) return;
        Exception? fault;
        lock (_models.Gate) fault = _models.Of(model).Where(one => preference.Named is not { } named || one.Variant.Precision == named)
            .Select(one => one.Failure).OfType<Exception>().FirstOrDefault();
        if (fault is not null) ExceptionDispatchInfo.Throw(fault);
        throw new ModelLoadException(error.Message);
    }

    /// <summary>
    /// Loads and warms another version of a model, beside the one it has where the memory allows, and gives it all new requests from then on; the old
    /// one finishes those it has and is unloaded. Whatever goes wrong before, the old one stays. Several calls take turns.
    /// </summary>
    /// <param name="next">Of a model that is here.</param>
    /// <param name="usual">What requests get that name no precision.</param>
    /// <param name="isForward">False for a return to an older version, which need not be as accurate as the current one.</param>
    /// <param name="onWaiting">Called where both do not fit, with what is waited for.</param>
    /// <param name="cancellationToken">Ends waits; a load under way is waited for, and what was loaded goes.</param>
    public Task<SwapOutcome> SwapAsync(ModelFolder next, PrecisionPreference usual, bool isForward, Action<string> onWaiting,
        CancellationToken cancellationToken) =>
        _swap.RunAsync(next, usual, isForward, onWaiting, cancellationToken);

    /// <summary>Ends what still runs and unloads everything; waits for loads under way.</summary>
    public async ValueTask DisposeAsync()
    {
        Task[] pending;
        lock (_models.Gate)
        {
            _stopping = true;
            pending = [.. _models.All.SelectMany(one => new[] { one.Loading, one.Unloading }).OfType<Task>()];
            _models.Room.Set();
        }

        await Task.WhenAll(pending);
        HostedVariant[] left;
        lock (_models.Gate) left = [.. _models.All];
        foreach (var one in left)
        {
            if (one.Loaded is { } loaded) await loaded.DisposeAsync();
        }
    }

    /// <summary>A model's folder, and its tokenizer and template, loaded or not; null where there is no such model.</summary>
    internal (ModelFolder Folder, HostedText Text)? Find(string model) => _models.Of(model) is [var first, ..] ? (first.Folder, first.Text) : null;

    /// <summary>Whether the noise in a request's inputs tells which variant serves it.</summary>
    internal bool CountsNoise(string model, PrecisionPreference preference)
    {
        lock (_models.Gate) return preference.Named is null && _models.CountsNoise(model);
    }

    /// <summary>Chooses the request's variant and waits until it is loaded. The caller disposes the lease when the request has ended.</summary>
    /// <param name="noise">Of the request's inputs, where it <see cref="CountsNoise"/>.</param>
    internal async ValueTask<Placement> PlaceAsync(string model, PrecisionPreference preference, CancellationToken cancellationToken,
        double? noise = null)
    {
        long? blockedSince = null;
        while (true)
        {
            HostedVariant one;
            VariantChoice choice;
            Task<bool>? loading;
            var seen = _models.Room.Version;
            lock (_models.Gate)
            {
                if (_stopping) return Refused(InferenceErrorKind.Unavailable, "The worker is shutting down.");
                if (_models.Choose(model, preference, noise, out var chosen, out var reason) is { } error) return new Placement(null, error);
                (one, choice) = (chosen!, new VariantChoice(chosen!.Variant.Precision, reason) { Version = chosen.Folder.Version });
                var isHeld = _models.IsHeld(model);
                if (one.Loaded is not null && !isHeld) return Claimed(one, choice);
                if (_waiting >= _options.MaxWaiting)
                    return Refused(InferenceErrorKind.QueueFull, "Too many requests wait for a model to be loaded. Retry later.");
                if (one.Loading is null && !isHeld) _loads.TryBegin(one);
                loading = isHeld ? null : one.Loading;
                // Counted from now on, so that the variant can't leave between its load and this request's first step.
                if (loading is not null) Use(one);
                Interlocked.Increment(ref _waiting);
            }

            try
            {
                if (loading is null)
                {
                    blockedSince ??= _time.GetTimestamp();
                    var left = _options.Patience - _time.GetElapsedTime(blockedSince.Value);
                    if (!await _models.Room.WaitAsync(seen, left > TimeSpan.Zero ? left : TimeSpan.Zero, _time, cancellationToken))
                        return Refused(InferenceErrorKind.Unavailable, "Other models are busy and hold the memory that this one needs. Retry later.");
                }
                else if (await UntilLoadedAsync(one, loading, cancellationToken))
                {
                    return new Placement(new VariantLease(one.Loaded!, choice, () => Release(one)), null);
                }
            }
            finally
            {
                Interlocked.Decrement(ref _waiting);
            }
        }
    }

    private static Placement Refused(InferenceErrorKind kind, string message) => new(null, new InferenceError(kind, message, RetryAfter: RetryLater));

    private Placement Claimed(HostedVariant one, VariantChoice choice)
    {
        Use(one);
        return new Placement(new VariantLease(one.Loaded!, choice, () => Release(one)), null);
    }

    private void Use(HostedVariant one)
    {
        one.Leases++;
        one.LastUse = ++_uses;
    }

    private void Release(HostedVariant one)
    {
        lock (_models.Gate)
        {
            one.LastUse = ++_uses;
            if (--one.Leases > 0) return;
            _loads.Retire(one);
            _models.Room.Set();
        }
    }

    /// <summary>Whether the variant is loaded now; if not, or if the caller has gone, it is no longer counted.</summary>
    private async Task<bool> UntilLoadedAsync(HostedVariant one, Task<bool> loading, CancellationToken cancellationToken)
    {
        var isLoaded = false;
        try
        {
            return isLoaded = await loading.WaitAsync(cancellationToken);
        }
        finally
        {
            if (!isLoaded) Release(one);
        }
    }
}
