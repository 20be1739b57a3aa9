using R1Serverless.Models;
using R1Serverless.Queues;
using R1Serverless.Queues.Embedded;

namespace R1Serverless.Delivery;

/// <summary>
/// Versions that were fetched, each a folder that appears whole, shared by the processes of a machine: <c>versions/KEY/NAME</c>, where the key is the manifest's hash. Of several
/// processes that lack a version, one fetches and the others wait. Versions leave for others within the budget, the least recently used first, and never one that is in use.
/// </summary>
/// <param name="folder">Absolute; made when it is first needed.</param>
/// <param name="budget">Bytes that all versions may take together.</param>
public sealed class ModelCache(string folder, long budget, TimeProvider time)
{
    /// <summary>Without a word about it.</summary>
    public const long DefaultBudget = 64L << 30;

    private const int MostLooks = 500;

    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(10), Look = TimeSpan.FromMilliseconds(100), LongFetch = TimeSpan.FromHours(12), ShortTurn = TimeSpan.FromMinutes(5);

    private readonly CacheFolders _folders = new(folder);

    /// <summary>The version's folder, fetched if it is not there; it stays until the lease is disposed.</summary>
    /// <param name="version">As the repository has it, with its key.</param>
    /// <param name="progress">Bytes of this version that are there, of all; not called where nothing has to be fetched.</param>
    /// <exception cref="InvalidModelException">The repository holds another content than its manifest says.</exception>
    /// <exception cref="TransportException">The repository can't be reached.</exception>
    /// <exception cref="IOException">There is no room for it, or the cache can't be written; the message says what to do.</exception>
    public async Task<CachedVersion> OpenAsync(SharedRepository repository, (VersionManifest Manifest, string Key) version, IProgress<Transferred>? progress, CancellationToken cancellationToken)
    {
        var (manifest, key) = version;
        if (await TryUseAsync(manifest, key, cancellationToken) is { } there) return there;
        using IDisposable fetching = await LockAsync(key, LongFetch, cancellationToken);
        // Another process may have fetched it meanwhile.
        if (await TryUseAsync(manifest, key, cancellationToken) is { } fetched) return fetched;
        await MakeRoomAsync(manifest, key, cancellationToken);
        VersionFetch fetch = new(repository, time);
        await FetchAsync(fetch, manifest, key, progress, cancellationToken);
        CachedVersion opened = await TryUseAsync(manifest, key, cancellationToken) ?? throw new IOException($"{_folders.Version(key)} was removed just after it was fetched; try again.");
        opened.FetchedBytes = fetch.FetchedBytes;
        return opened;
    }

    /// <summary>Fetches it and puts it in its place. A disk that has less room than it said gets some once, and then what was fetched goes, as all does that never can be this version.</summary>
    private async Task FetchAsync(VersionFetch fetch, VersionManifest manifest, string key, IProgress<Transferred>? progress, CancellationToken cancellationToken)
    {
        string staging = _folders.Partial(key);
        Directory.CreateDirectory(staging);
        for (bool mayFree = true; ; mayFree = false)
        {
            try
            {
                IReadOnlyDictionary<string, string> known = _folders.VerifiedFiles();
                await fetch.RunAsync(manifest, staging, Target(manifest, key), file => known.GetValueOrDefault(file.Sha256), progress, cancellationToken);
                _folders.Place(key, manifest);
                return;
            }
            catch (IOException fault) when (FullDisk.Is(fault))
            {
                if (mayFree && await TryFreeAsync(manifest, key, cancellationToken)) continue;
                Directory.Delete(staging, recursive: true);
                throw Full(manifest, fault);
            }
            catch (InvalidModelException)
            {
                Directory.Delete(staging, recursive: true);
                throw;
            }
        }
    }

    private string Target(VersionManifest manifest, string key) => Path.Combine(_folders.Partial(key), manifest.Model);

    /// <summary>The version of a key, without a repository; null where it is not there whole and sound.</summary>
    public async Task<CachedVersion?> TryOpenAsync(string key, CancellationToken cancellationToken)
    {
        string path = Path.Combine(_folders.Version(key), VersionManifest.FileName);
        try
        {
            return File.Exists(path) ? await TryUseAsync(VersionManifest.Read(await File.ReadAllBytesAsync(path, cancellationToken), path), key, cancellationToken) : null;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or InvalidModelException)
        {
            return null;
        }
    }

    /// <summary>What was served last, kept beside the versions.</summary>
    public LastServed LastServed(RepositoryAddress repository) => new(Path.Combine(folder, "served", repository.Key));

    /// <summary>The lease on a version that is there and sound; null where it is not. What was damaged is removed.</summary>
    private async Task<CachedVersion?> TryUseAsync(VersionManifest manifest, string key, CancellationToken cancellationToken)
    {
        IDisposable? use;
        // Another process has it alone for a moment while it looks whether anybody uses it, or removes it.
        for (int looks = 0; (use = _folders.TryUse(key, time)) is null && _folders.Has(key) && looks < MostLooks; looks++) await Task.Delay(Glance, time, cancellationToken);
        if (use is null) return null;
        string path = Path.Combine(_folders.Version(key), manifest.Model);
        foreach (VersionFile file in manifest.Files)
        {
            string one = Path.Combine([path, .. file.Path.Split('/')]);
            if (VerifiedFile.IsMarked(one, file) || await VerifiedFile.TryMarkAsync(one, file, cancellationToken)) continue;
            use.Dispose();
            return await TryRemoveAsync(key, one, file, cancellationToken) ? null : await TryUseAsync(manifest, key, cancellationToken);
        }

        return new CachedVersion(path, manifest, key, use);
    }

    /// <summary>Removes a version that is damaged; false where another process did, and a sound one has taken its place.</summary>
    /// <exception cref="IOException">Another process has it in use, so that what is fetched for this one can't take its place.</exception>
    private async Task<bool> TryRemoveAsync(string key, string path, VersionFile file, CancellationToken cancellationToken)
    {
        // Another process that is looking at it has it in use too, until it has read it all and finds the same.
        for (int looks = 0; looks < MostLooks; looks++)
        {
            if (VerifiedFile.IsMarked(path, file)) return false;
            if (_folders.TryRemove(key)) return true;
            await Task.Delay(Look, time, cancellationToken);
        }

        throw new IOException($"{path} was changed after it was fetched, and the version can't be removed: stop the process that uses it, or remove {_folders.Version(key)}.");
    }

    private async Task<IDisposable> LockAsync(string name, TimeSpan patience, CancellationToken cancellationToken)
    {
        try
        {
            _folders.Create();
            return await FileLock.TakeAsync(_folders.Lock(name), time, patience, cancellationToken, Look);
        }
        catch (Exception fault) when ((fault is TransportException ? fault.InnerException : fault) is { } cause and (IOException or UnauthorizedAccessException) && !FileLock.IsHeld(cause))
        {
            throw new IOException($"The cache of models in {folder} can't be written: {cause.Message.TrimEnd('.')}. Choose another --data.", fault);
        }
    }

    /// <summary>Of what is to be fetched, what is partly there needs its room too.</summary>
    private async Task MakeRoomAsync(VersionManifest manifest, string key, CancellationToken cancellationToken)
    {
        using IDisposable turn = await LockAsync("room", ShortTurn, cancellationToken);
        _folders.RemoveAbandoned(key, time.GetUtcNow().UtcDateTime);
        IReadOnlyList<CachedFiles> cached = _folders.Cached();
        long own = CacheRoom.Bytes(cached, []), free = new DriveInfo(folder).AvailableFreeSpace + BytesThere(manifest, key, cached);
        IReadOnlyList<CachedFiles> leaving = CacheRoom.Choose(cached, manifest.Files, Math.Min(budget, own + free)) ?? throw Full(manifest, null);
        foreach (CachedFiles one in leaving) _folders.TryRemove(one.Key);
    }

    /// <summary>Room for what is not there yet, where a disk is full although it should not be: others fill it too, and quotas are not told.</summary>
    private async Task<bool> TryFreeAsync(VersionManifest manifest, string key, CancellationToken cancellationToken)
    {
        using IDisposable turn = await LockAsync("room", ShortTurn, cancellationToken);
        IReadOnlyList<CachedFiles> cached = _folders.Cached();
        bool isAny = false;
        foreach (CachedFiles one in CacheRoom.ChooseToFree(cached, manifest.Bytes - BytesThere(manifest, key, cached))) isAny |= _folders.TryRemove(one.Key);
        return isAny;
    }

    private long BytesThere(VersionManifest manifest, string key, IReadOnlyList<CachedFiles> cached)
    {
        HashSet<string> elsewhere = new(cached.SelectMany(one => one.Files).Select(file => file.Sha256), StringComparer.Ordinal);
        return VersionFetch.BytesThere(manifest, _folders.Partial(key), Target(manifest, key), file => elsewhere.Contains(file.Sha256));
    }

    private IOException Full(VersionManifest manifest, Exception? fault) => new(
        $"There is no room for {manifest.Model} {manifest.Version}: it needs {Megabytes(manifest.Bytes)} in {folder}, where all versions may take {Megabytes(budget)} and {Megabytes(new DriveInfo(folder).AvailableFreeSpace)} of the disk are free. "
            + "Free some space, raise --model-cache, or choose another --data.",
        fault);

    private static string Megabytes(long bytes) => $"{(bytes + 999_999) / 1_000_000} MB";
}

/// <summary>A version in the cache that this process uses: while it is not disposed, the version stays.</summary>
/// <param name="path">The model's folder.</param>
/// <param name="manifest">Of the version.</param>
/// <param name="key">By which the cache knows it.</param>
/// <param name="use">What keeps it there.</param>
public sealed class CachedVersion(string path, VersionManifest manifest, string key, IDisposable use) : IDisposable
{
    public string Path => path;

    public VersionManifest Manifest => manifest;

    /// <summary>What this process fetched of it just now: nothing of what was on the disk already.</summary>
    public long FetchedBytes { get; internal set; }

    public string Key => key;

    public void Dispose() => use.Dispose();
}
