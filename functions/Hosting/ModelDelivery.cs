using R1Serverless.Delivery;
using R1Serverless.Models;
using R1Serverless.Queues;
using R1Serverless.Runtime;
using R1Serverless.Telemetry;

namespace R1Serverless.Hosting;

/// <summary>Brings versions from a repository onto this machine.</summary>
/// <param name="served">What was served last.</param>
internal sealed class ModelDelivery(SharedRepository repository, ModelCache cache, LastServed served, IProgress<string> progress, TimeProvider time)
{
    private const int Tenths = 10;

    private readonly LoadAttempts _attempts = served.Attempts(time);

    public SharedRepository Repository => repository;

    /// <summary>The models that this machine can serve while the repository is away, as far as it knows.</summary>
    public IReadOnlyList<string> KnownNames => served.Models;

    /// <summary>The names of the models that have an active version.</summary>
    /// <exception cref="TransportException">The repository can't be reached.</exception>
    /// <exception cref="ModelLoadException">There is none.</exception>
    public async Task<IReadOnlyList<string>> NamesAsync(CancellationToken cancellationToken)
    {
        string[] names = [.. (await repository.ListAsync(cancellationToken)).Where(one => one.HasActive).Select(one => one.Model)];
        return names.Length > 0 ? names : throw new ModelLoadException($"no model in {repository.Description} has an active version: `r1 model push NAME --to REPO --activate` gives it one");
    }

    /// <summary>The versions that a start may serve of a model, with the tag to look for changes by.</summary>
    /// <exception cref="TransportException">The repository can't be reached.</exception>
    /// <exception cref="InvalidModelException">What is active can't be read.</exception>
    /// <exception cref="ModelLoadException">No version is active.</exception>
    public async Task<(VersionLine Line, string Tag)> FindLineAsync(string model, StartRules rules, CancellationToken cancellationToken)
    {
        var (active, tag) = await repository.FindActiveAsync(model, cancellationToken)
            ?? throw new ModelLoadException($"no version of '{model}' is active in {repository.Description}; `r1 model list --from` shows what there is");
        return (new VersionLine(this, model, active.Line, active.MayBeLessAccurate, rules), tag);
    }

    /// <exception cref="TransportException">The repository can't be reached.</exception>
    /// <exception cref="InvalidModelException">There is no such version, or its manifest is damaged.</exception>
    public async Task<(VersionManifest Manifest, string Key)> FindAsync(string model, string version, CancellationToken cancellationToken) =>
        await repository.FindAsync(model, version, cancellationToken) ?? throw new InvalidModelException($"There is no version '{version}' of '{model}' in {repository.Description}.");

    /// <exception cref="TransportException">The repository can't be reached.</exception>
    /// <exception cref="InvalidModelException">It is damaged.</exception>
    /// <exception cref="IOException">There is no room for it.</exception>
    public async Task<DeliveredVersion> OpenAsync(string model, (VersionManifest Manifest, string Key) found, CancellationToken cancellationToken)
    {
        string version = found.Manifest.Version;
        long began = time.GetTimestamp();
        FetchLines lines = new(this, model, version);
        CachedVersion cached = await cache.OpenAsync(repository, found, lines, cancellationToken);
        if (lines.IsFetched)
        {
            progress.Report($"Fetched {model} {version}, {Transferred(cached)}, in {time.GetElapsedTime(began).TotalSeconds:0.0} s.");
            DeliveryInstruments.OnFetched(model, cached.FetchedBytes);
        }

        return Open(model, cached);
    }

    /// <summary>The version that was served last, without the repository; null where it is not in the cache any more, or is no good.</summary>
    public async Task<DeliveredVersion?> FindKnownAsync(string model, CancellationToken cancellationToken)
    {
        if (served.Find(model) is not { } known || await cache.TryOpenAsync(known.Key, cancellationToken) is not { } cached) return null;
        try
        {
            if (cached.Manifest.Model == model) return Open(model, cached);
            cached.Dispose();
            return null;
        }
        catch (InvalidModelException)
        {
            return null;
        }
    }

    /// <summary>Keeps in mind what serves, for a start while the repository is away.</summary>
    public void Remember(string model, DeliveredVersion version)
    {
        served.Keep(model, new ServedNote(version.Version, version.Key));
        _attempts.Forget(model, version.Key);
    }

    /// <summary>To be disposed when a load of the version has ended; null where it was loaded here before.</summary>
    public IDisposable? Attempt(string model, DeliveredVersion version) => served.Find(model)?.Key == version.Key ? null : _attempts.Begin(model, version.Key);

    /// <summary>Why a version is better not loaded; null where nothing is known against it.</summary>
    /// <param name="key">By which the cache knows it.</param>
    public string? Danger(string model, string key) => _attempts.CountLost(model, key) is var lost && lost >= LoadAttempts.Most
        ? $"{lost} processes ended while they loaded it, as by a fault in native code or for memory; it is tried again in an hour, or by a server that runs when it is activated again"
        : null;

    private DeliveredVersion Open(string model, CachedVersion cached)
    {
        try
        {
            ModelFolder folder = ModelFolder.Open(cached.Path);
            string version = cached.Manifest.Version;
            if (folder.Name != model) throw new InvalidModelException($"The version '{version}' of '{model}' in {repository.Description} holds the model '{folder.Name}': push that under its own name.");
            return new DeliveredVersion(folder with { Version = version }, cached);
        }
        catch
        {
            cached.Dispose();
            throw;
        }
    }

    /// <summary>How much of a version came over the network, in words.</summary>
    public static string Transferred(CachedVersion cached) =>
        cached.FetchedBytes < cached.Manifest.Bytes ? $"{Quantities.Bytes(cached.FetchedBytes)} of {Quantities.Bytes(cached.Manifest.Bytes)}, as the rest was on this machine" : Quantities.Bytes(cached.FetchedBytes);

    private void Say(string line) => progress.Report(line);

    /// <summary>Says every tenth of a fetch; told from several threads.</summary>
    private sealed class FetchLines(ModelDelivery delivery, string model, string version) : IProgress<Transferred>
    {
        private readonly Lock _gate = new();
        private long _tenth;

        public bool IsFetched { get; private set; }

        public void Report(Transferred value)
        {
            lock (_gate)
            {
                IsFetched = true;
                long tenth = value.Total == 0 ? Tenths : value.Done * Tenths / value.Total;
                if (tenth <= _tenth || tenth == Tenths) return;
                _tenth = tenth;
                delivery.Say($"Fetching {model} {version}: {Quantities.Bytes(value.Done)} of {Quantities.Bytes(value.Total)}.");
            }
        }
    }
}
