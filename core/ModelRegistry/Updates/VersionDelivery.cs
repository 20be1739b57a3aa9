using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Storage;
using R1Serverless.Storage.Files;

namespace R1Serverless.ModelRegistry.Updates;

/// <summary>Brings versions from a repository onto this machine.</summary>
/// <param name="served">What was served last.</param>
public sealed class VersionDelivery(
    SharedRepository repository, ModelCache cache, LastServedVersions served, IProgress<string> progress, TimeProvider time)
{
    private const int Tenths = 10;

    internal SharedRepository Repository => repository;

    internal LastServedVersions Served => served;

    internal TimeProvider Time => time;

    /// <exception cref="TransportException">The repository can't be reached.</exception>
    /// <exception cref="InvalidModelException">There is no such version, or it is damaged.</exception>
    /// <exception cref="IOException">There is no room for it.</exception>
    internal async Task<DeliveredVersion> OpenAsync(string model, string version, CancellationToken cancellationToken)
    {
        var found = await repository.FindAsync(model, version, cancellationToken)
            ?? throw new InvalidModelException($"There is no version '{version}' of '{model}' in {repository.Description}.");
        var began = time.GetTimestamp();
        FetchLines lines = new(progress, model, version);
        var cached = await cache.OpenAsync(repository, found, lines, cancellationToken);
        if (lines.IsFetched)
        {
            progress.Report($"Fetched {model} {version}, {cached.Transferred}, in {time.GetElapsedTime(began).TotalSeconds:0.0} s.");
            DeliveryInstruments.OnFetched(model, cached.FetchedBytes);
        }

        return Open(model, cached);
    }

    /// <summary>The version that was served last, without the repository; null where it is not in the cache any more, or is no good.</summary>
    internal async Task<DeliveredVersion?> FindLastServedAsync(string model, CancellationToken cancellationToken)
    {
        if (served.Find(model) is not { } last || await cache.TryOpenAsync(last.Key, cancellationToken) is not { } cached) return null;
        try
        {
            return Open(model, cached);
        }
        catch (InvalidModelException)
        {
            return null;
        }
    }

    private DeliveredVersion Open(string model, CachedVersion cached)
    {
        try
        {
            var folder = ModelFolder.Open(cached.Path);
            var version = cached.Manifest.Version;
            if (folder.Name != model)
                throw new InvalidModelException(
                    $"The version '{version}' of '{model}' in {repository.Description} holds the model '{folder.Name}': push it under its name.");
            return new DeliveredVersion(folder with { Version = version }, cached);
        }
        catch
        {
            cached.Dispose();
            throw;
        }
    }

    /// <summary>Reports every tenth of a fetch; told from several threads.</summary>
    private sealed class FetchLines(IProgress<string> progress, string model, string version) : IProgress<Transferred>
    {
        private readonly Lock _gate = new();
        private long _tenth;

        public bool IsFetched { get; private set; }

        public void Report(Transferred value)
        {
            lock (_gate)
            {
                IsFetched = true;
                var tenth = value.Total == 0 ? Tenths : value.Done * Tenths / value.Total;
                if (tenth <= _tenth || tenth == Tenths) return;
                _tenth = tenth;
                progress.Report($"Fetching {model} {version}: {DiskSpace.Megabytes(value.Done)} of {DiskSpace.Megabytes(value.Total)}.");
            }
        }
    }
}
