using R1Serverless.Delivery;
using R1Serverless.Models;
using R1Serverless.Queues;
using R1Serverless.Runtime;
using R1Serverless.Telemetry;

namespace R1Serverless.Hosting;

/// <summary>Brings versions from a repository onto this machine.</summary>
internal sealed class ModelDelivery(SharedRepository repository, ModelCache cache, IProgress<string> progress, TimeProvider time)
{
    private const int Tenths = 10;

    public SharedRepository Repository => repository;

    /// <summary>The names of the models that have an active version.</summary>
    /// <exception cref="TransportException">The repository can't be reached.</exception>
    /// <exception cref="ModelLoadException">There is none.</exception>
    public async Task<IReadOnlyList<string>> NamesAsync(CancellationToken cancellationToken)
    {
        string[] names = [.. (await repository.ListAsync(cancellationToken)).Where(one => one.HasActive).Select(one => one.Model)];
        return names.Length > 0 ? names : throw new ModelLoadException($"no model in {repository.Description} has an active version: `r1 model push NAME --to REPO --activate` gives it one");
    }

    /// <summary>What is to be served of a model, on this machine; where it can't be had, the version that was active before it.</summary>
    /// <returns>The version; the tag of what was active; and, where the version is not the active one, that one and why not.</returns>
    /// <exception cref="TransportException">The repository can't be reached.</exception>
    /// <exception cref="InvalidModelException">Neither can be used.</exception>
    /// <exception cref="ModelLoadException">No version is active.</exception>
    public async Task<(DeliveredVersion Version, string Tag, (string Version, string Reason)? Failed)> OpenActiveAsync(string model, CancellationToken cancellationToken)
    {
        var (active, tag) = await repository.FindActiveAsync(model, cancellationToken)
            ?? throw new ModelLoadException($"no version of '{model}' is active in {repository.Description}; `r1 model list --from` shows what there is");
        try
        {
            return (await OpenAsync(model, active.Version, cancellationToken), tag, null);
        }
        catch (InvalidModelException fault) when (active.Previous is { } previous)
        {
            progress.Report($"{model} {active.Version} can't be served: {fault.Message} Serving {previous}, which was active before it.");
            return (await OpenAsync(model, previous, cancellationToken), tag, (active.Version, fault.Message));
        }
    }

    /// <exception cref="TransportException">The repository can't be reached.</exception>
    /// <exception cref="InvalidModelException">There is no such version, or it is damaged.</exception>
    /// <exception cref="IOException">There is no room for it.</exception>
    public async Task<DeliveredVersion> OpenAsync(string model, string version, CancellationToken cancellationToken)
    {
        var found = await repository.FindAsync(model, version, cancellationToken) ?? throw new InvalidModelException($"There is no version '{version}' of '{model}' in {repository.Description}.");
        long began = time.GetTimestamp();
        FetchLines lines = new(this, model, version);
        CachedVersion cached = await cache.OpenAsync(repository, found, lines, cancellationToken);
        try
        {
            if (lines.IsFetched)
            {
                progress.Report($"Fetched {model} {version}, {Quantities.Bytes(found.Manifest.Bytes)}, in {time.GetElapsedTime(began).TotalSeconds:0.0} s.");
                DeliveryInstruments.OnFetched(model, found.Manifest.Bytes);
            }

            ModelFolder folder = ModelFolder.Open(cached.Path);
            if (folder.Name != model) throw new InvalidModelException($"The version '{version}' of '{model}' in {repository.Description} holds the model '{folder.Name}': push that under its own name.");
            return new DeliveredVersion(folder with { Version = version }, cached);
        }
        catch
        {
            cached.Dispose();
            throw;
        }
    }

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
