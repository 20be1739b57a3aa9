using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Steps;
using R1Serverless.ModelBuilder;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.ModelRegistry;
using R1Serverless.ModelRegistry.Updates;
using R1Serverless.Models.Folders;
using R1Serverless.Queues.Worker;
using R1Serverless.Serving;

namespace R1Serverless.ModelLoading;

/// <summary>The product's <see cref="ModelLoader"/>: the engine in this process, over the folders that the options name.</summary>
internal static class LocalModels
{
    /// <summary>Without a word about it, models may take three quarters of the memory that this process may use (a container's limit counts), and
    /// each loaded variant's keys and values a sixth of that.</summary>
    private const double MemoryShare = 0.75;

    private const int KeyValueShare = 6;

    public static async Task<LoadedModels> LoadAsync(ServeOptions options, IStartProgress progress, CancellationToken cancellationToken)
    {
        List<IDisposable> held = [];
        ModelHost? host = null;
        try
        {
            // A version in the cache that is named by its path must not leave for others while it is served.
            foreach (var named in options.Models.Where(IsFolder))
            {
                if (await CacheUse.OfModelAsync(named, TimeProvider.System, cancellationToken) is { } use) held.Add(use);
            }

            var rules = Rules(options, progress);
            var delivered = options.ModelsFrom is { } from ? await DeliverAsync(from, options, rules, progress, cancellationToken) : null;
            if (delivered is not null) held.Add(delivered);
            // Building blocks for seconds: a thread of its own, so that the port answers meanwhile.
            var folders = delivered?.Folders ?? await Task.Factory.StartNew(
                () => Folders(options, progress, cancellationToken).ToArray(), cancellationToken, TaskCreationOptions.LongRunning,
                TaskScheduler.Default);
            progress.Mark(StartupPhase.Artifacts);
            var first = PreloadNames.Read(options, folders, delivered?.Names);
            var served = host = new ModelHost(folders, rules.Limits, options.Runtime, rules.Engine, TimeProvider.System);
            first = Fitting(host.Fit(first), isDelivered: delivered is not null, progress);
            var updates = delivered?.Watch(host, options.ModelsPoll, progress);
            await Task.WhenAll(first.Select(one =>
                updates?.LoadAsync(one.Model, one.Wish, cancellationToken) ?? served.LoadAsync(one.Model, one.Wish, cancellationToken)));
            LoadedVariant[] loaded = [.. host.Status.Select(one => one.Loaded).OfType<LoadedVariant>()];
            // The device that a load really got, where the preferred one would not do.
            var device = loaded[0].Provider;
            if (device.Notice is { } notice) progress.Warn(notice);
            HeldInference inference = new(new LocalInference(host), updates, held);
            return new LoadedModels(inference, () => Describe(served, device, model => updates?.Versions(model) ?? []), () => Load(served))
            {
                Reached = [(StartupPhase.Sessions, loaded.Max(one => one.SessionAt)), (StartupPhase.Warmed, loaded.Max(one => one.WarmAt))],
                WarmupModel = options.WarmsUp && loaded[0].Signature is null ? loaded[0].Id : null,
                Begin = () => updates?.Start(),
                StopUpdates = () => updates?.Stop(),
            };
        }
        catch
        {
            if (host is not null) await host.DisposeAsync();
            held.ForEach(one => one.Dispose());
            throw;
        }
    }

    private static Task<DeliveredModels> DeliverAsync(
        RepositoryAddress from, ServeOptions options, StartRules rules, IProgress<string> progress, CancellationToken cancellationToken)
    {
        ModelCache cache = new(DataFolder.Cache(options.DataFolder), options.ModelCacheBytes, TimeProvider.System);
        VersionDelivery delivery = new(from.Await(TimeProvider.System), cache, cache.LastServed(from.Key), progress, TimeProvider.System);
        ModelFolder? FindLocal(string named) => IsFolder(named) ? ModelFolder.Open(named) : null;
        return DeliveredModels.OpenAsync(delivery, options.Models, FindLocal, rules, cancellationToken);
    }

    /// <summary>The models that the options name, built first where a shipped checkpoint was not yet.</summary>
    public static IEnumerable<ModelFolder> Folders(ServeOptions options, IProgress<string> progress, CancellationToken cancellationToken)
    {
        var repository = DataFolder.Repository(options.DataFolder);
        foreach (var named in options.Models.Count > 0 ? options.Models : [ShippedModels.Nano])
        {
            if (IsFolder(named)) yield return ModelFolder.Open(named);
            else if (ShippedModels.Find(named) is { } checkpoint)
                yield return EnsureBuilt(repository, checkpoint, named, progress, cancellationToken);
            else yield return repository.Find(named)
                ?? throw new ModelLoadException(
                $"there is no model '{named}' in {repository.Path}, and no such folder; `r1 model list` shows what there is.");
        }
    }

    /// <summary>Whether the argument is a folder rather than a model's name: it has a separator, or a model is in it. Any other folder that happens
    /// to have the name hides no model.</summary>
    public static bool IsFolder(string named) =>
        named.Contains(Path.DirectorySeparatorChar) || named.Contains(Path.AltDirectorySeparatorChar) || ModelFolder.IsAt(named);

    private static ModelFolder EnsureBuilt(ModelRepository repository, string checkpoint, string name, IProgress<string> progress,
        CancellationToken cancellationToken)
    {
        var before = repository.Find(name)?.Manifest.Fingerprint;
        var folder = repository.EnsureBuilt(checkpoint, name, TimeProvider.System, cancellation: cancellationToken);
        if (folder.Manifest.Fingerprint != before) progress.Report($"Built {name} from its checkpoint into {folder.Path}.");
        return folder;
    }

    /// <summary>Versions change while their servers stay as they were started: what has no room beside others must not keep the next server from its
    /// start.</summary>
    /// <exception cref="ModelLoadException">Not all has room, and it is the operator who named it.</exception>
    private static IReadOnlyList<(string Model, PrecisionPreference Wish)> Fitting(StartFit fit, bool isDelivered, IStartProgress progress)
    {
        if (fit.Refusal is null) return fit.Fitting;
        if (!isDelivered) throw new ModelLoadException(fit.Refusal);
        progress.Warn($"{fit.Refusal}. When it is asked for, this is loaded in another's place: {string.Join(", ", fit.Left)}.");
        return fit.Fitting;
    }

    private static StartRules Rules(ServeOptions options, IStartProgress progress)
    {
        var memory = options.MemoryBytes ?? (long)(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes * MemoryShare);
        EngineOptions engine = new()
        {
            KvMemory = options.KeyValueMemoryBytes ?? memory / KeyValueShare, MaxWaiting = options.MaxWaiting, WarmsUp = options.WarmsUp,
            PrefixSharing = options.PrefixSharing, PrefixFileBytes = options.PrefixFileBytes ?? 0,
            PrefixFolder = options.PrefixFileBytes is null ? null : Path.Combine(options.DataFolder ?? DataFolder.Default, "prefixes"),
        };
        var limits = new ModelHostOptions
        {
            MemoryBytes = memory,
            Device = ExecutionProvider.Preferred(options.Runtime).Name,
            MaxWaiting = options.MaxWaiting,
            Progress = progress,
            // As at the start: --load names what else is.
            LoadsMarked = options.Load.Count == 0,
            Warn = progress.Warn,
        };
        PrecisionPreference usual = new(options.Precision) { IsServerDefault = true };
        return new StartRules(usual, limits, engine, (model, variants) => PreloadNames.Precisions(options.Load, model, variants));
    }

    private static WorkerLoad Load(ModelHost host)
    {
        EngineLoad[] loads = [.. host.Status.Select(status => status.Loaded).OfType<LoadedVariant>().Select(loaded => loaded.Load)];
        return new WorkerLoad(loads.Sum(load => load.Running), loads.Sum(load => load.Waiting), loads.Any(load => load.IsFull));
    }

    /// <param name="versions">Of the model of that name.</param>
    private static IReadOnlyList<ServedModel> Describe(ModelHost host, ExecutionProvider device,
        Func<string, IReadOnlyList<ServedVersion>> versions) =>
    [
        .. host.Status.Where(status => status.Role == VersionRole.Current).GroupBy(status => status.Folder.Name, StringComparer.Ordinal)
            .Select(model => new ServedModel
        {
            Id = model.Key,
            Created = model.First().Folder.Manifest.Created,
            OwnedBy = "r1serverless",
            ContextLength = model.First().Folder is { Signature: null, Config.ContextLength: var length } ? length : 0,
            Signature = model.Select(status => status.Loaded?.Signature).FirstOrDefault(known => known is not null) ?? model.First().Folder.Signature,
            Task = model.Any(status => status.Loaded?.TextRefusal is not null) ? null
                : (model.First().Folder.Encoder ?? model.First().Folder.Images?.Output)?.Task,
            IsSeries = model.First().Folder.Series is not null,
            Device = device.Description,
            Variants = [.. model.Select(status => Describe(status, device.Name))],
            Versions = versions(model.Key),
        }),
    ];

    private static ServedVariant Describe(VariantStatus status, string device)
    {
        var load = status.Loaded?.Load;
        var life = load is { } now
            ? new VariantLife(status.Loaded!.LoadTime, status.Loaded.WarmupTime, now.Running, now.Waiting)
            {
                IsPrepared = status.Loaded.IsPrepared, SharesPrefixes = status.Loaded.SharesPrefixes,
            }
            : null;
        var measured = VariantSelection.On(status.Variant, device) is { } one
            ? new MeasuredVariant(one.Accuracy, one.AccuracyDrop, one.IsWithinTolerance, one.TokensPerSecond)
            : null;
        return new ServedVariant(status.Variant.Precision, status.Variant.Bytes, measured, life);
    }
}
