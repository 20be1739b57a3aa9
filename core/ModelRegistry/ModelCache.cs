using R1Serverless.Models;
using R1Serverless.Storage;
using R1Serverless.Storage.Files;

namespace R1Serverless.ModelRegistry;

/// <summary>
/// Versions that were fetched, each a folder that appears whole, shared by the processes of a machine: <c>versions/KEY/NAME</c>, where the key is the
/// manifest's hash. Of several processes that lack a version, one fetches and the others wait. Which leave for others, <see cref="CacheEviction"/>
/// says.
/// </summary>
/// <param name="folder">Absolute; made when it is first needed.</param>
/// <param name="budget">Bytes that all versions may take together.</param>
public sealed class ModelCache(string folder, long budget, TimeProvider time)
{
    /// <summary>Without a word about it.</summary>
    public const long DefaultBudget = 64L << 30;

    private const string Room = "room";

    private const int MaxLooks = 500;

    internal static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan LongFetch = TimeSpan.FromHours(12), ShortTurn = TimeSpan.FromMinutes(5);

    private readonly CacheFolders _folders = new(folder);

    /// <summary>The version's folder, fetched if it is not there; it stays until the lease is disposed.</summary>
    /// <param name="version">As the repository has it, with its key.</param>
    /// <param name="progress">Bytes of this version that are there, of all; not called where nothing has to be fetched.</param>
    /// <exception cref="InvalidModelException">The repository holds another content than its manifest says.</exception>
    /// <exception cref="TransportException">The repository can't be reached.</exception>
    /// <exception cref="IOException">There is no room for it, or the cache can't be written; the message says what to do.</exception>
    public async Task<CachedVersion> OpenAsync(SharedRepository repository, (VersionManifest Manifest, string Key) version,
        IProgress<Transferred>? progress, CancellationToken cancellationToken)
    {
        var (manifest, key) = version;
        if (await TryUseAsync(manifest, key, cancellationToken) is { } there) return there;
        using var fetching = await LockAsync(key, LongFetch, cancellationToken);
        // Another process may have fetched it meanwhile.
        if (await TryUseAsync(manifest, key, cancellationToken) is { } fetched) return fetched;
        VersionFetch fetch = new(repository, time);
        await FetchAsync(fetch, manifest, key, progress, cancellationToken);
        var opened = await TryUseAsync(manifest, key, cancellationToken)
            ?? throw new IOException($"{_folders.Version(key)} was removed just after it was fetched; try again.");
        opened.FetchedBytes = fetch.FetchedBytes;
        return opened;
    }

    /// <summary>Fetches it and puts it in its place. A disk that has less room than it said gets some once. What was fetched stays, for the next who
    /// fetches it, but not where it never can be this version.</summary>
    private async Task FetchAsync(VersionFetch fetch, VersionManifest manifest, string key, IProgress<Transferred>? progress,
        CancellationToken cancellationToken)
    {
        var staging = _folders.Partial(key);
        IOException? full = null;
        while (true)
        {
            try
            {
                await MakeRoomAsync(manifest, key, full, cancellationToken);
                var known = _folders.VerifiedFiles();
                await fetch.RunAsync(manifest, staging, _folders.Target(key, manifest), file => known.GetValueOrDefault(file.Sha256), progress,
                    cancellationToken);
                // Who counts sees it as a fetch or as a version.
                using var turn = await LockAsync(Room, ShortTurn, cancellationToken);
                _folders.Place(key);
                return;
            }
            catch (IOException fault) when (DiskSpace.IsMissing(fault))
            {
                if (full is not null) throw Full(manifest, key, fault);
                full = fault;
            }
            catch (InvalidModelException)
            {
                Directory.Delete(staging, recursive: true);
                throw;
            }
        }
    }

    /// <summary>The version of a key, without a repository; null where it is not there whole and sound.</summary>
    public async Task<CachedVersion?> TryOpenAsync(string key, CancellationToken cancellationToken)
    {
        var path = Path.Combine(_folders.Version(key), VersionManifest.FileName);
        try
        {
            return File.Exists(path)
                ? await TryUseAsync(VersionManifest.Read(await File.ReadAllBytesAsync(path, cancellationToken), path), key, cancellationToken) : null;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or InvalidModelException)
        {
            return null;
        }
    }

    /// <summary>What was served last of a repository, kept beside the versions.</summary>
    /// <param name="repositoryKey">Tells it from others on this machine.</param>
    public LastServedVersions LastServed(string repositoryKey) => new(Path.Combine(folder, "served", repositoryKey));

    /// <summary>The lease on a version that is there and sound; null where it is not. What was damaged is removed.</summary>
    private async Task<CachedVersion?> TryUseAsync(VersionManifest manifest, string key, CancellationToken cancellationToken)
    {
        if (await _folders.UseAsync(key, time, cancellationToken) is not { } use) return null;
        var path = Path.Combine(_folders.Version(key), manifest.Model);
        VersionFile? damaged;
        try
        {
            damaged = await FindDamagedAsync(path, manifest, cancellationToken);
        }
        catch
        {
            use.Dispose();
            throw;
        }

        if (damaged is null) return new CachedVersion(path, manifest, key, use);
        use.Dispose();
        return await TryRemoveAsync(key, damaged.In(path), damaged, cancellationToken) ? null : await TryUseAsync(manifest, key, cancellationToken);
    }

    private static async Task<VersionFile?> FindDamagedAsync(string path, VersionManifest manifest, CancellationToken cancellationToken)
    {
        foreach (var file in manifest.Files)
        {
            var one = file.In(path);
            if (!VerifiedFile.IsMarked(one, file) && !await VerifiedFile.TryMarkAsync(one, file, cancellationToken)) return file;
        }

        return null;
    }

    /// <summary>Removes a version that is damaged; false where another process did, and a sound one has taken its place.</summary>
    /// <exception cref="IOException">Another process has it in use, so that what is fetched for this one can't take its place.</exception>
    private async Task<bool> TryRemoveAsync(string key, string path, VersionFile file, CancellationToken cancellationToken)
    {
        // Another process that is looking at it has it in use too, until it has read it all and finds the same.
        for (var looks = 0; looks < MaxLooks; looks++)
        {
            if (VerifiedFile.IsMarked(path, file)) return false;
            if (_folders.TryRemove(key)) return true;
            await Task.Delay(Look, time, cancellationToken);
        }

        throw new IOException(
            $"{path} was changed after it was fetched, and the version can't be removed: stop the process that uses it, or remove "
            + $"{_folders.Version(key)}.");
    }

    private async Task<IDisposable> LockAsync(string name, TimeSpan patience, CancellationToken cancellationToken)
    {
        try
        {
            _folders.Create();
            return await FileLock.TakeAsync(_folders.Lock(name), time, patience, cancellationToken, Look);
        }
        catch (Exception fault) when ((fault is TransportException ? fault.InnerException : fault) is { } cause
            and (IOException or UnauthorizedAccessException) && !FileLock.IsHeld(cause))
        {
            throw new IOException($"The cache of models in {folder} can't be written: {cause.Message.TrimEnd('.')}. Choose another --data.", fault);
        }
    }

    /// <summary>Room as <see cref="CacheEviction"/> has it; it is taken from then on, where others can see it. Of what is to be fetched, what is
    /// partly there needs its room too.</summary>
    /// <param name="full">Where a disk turned out to be full although it should not be: others fill it too, and quotas are not told. Then nothing
    /// counts as free.</param>
    private async Task MakeRoomAsync(VersionManifest manifest, string key, IOException? full, CancellationToken cancellationToken)
    {
        using var turn = await LockAsync(Room, ShortTurn, cancellationToken);
        _folders.RemoveAbandoned(key, time.GetUtcNow().UtcDateTime);
        var cached = _folders.Cached(key);
        var free = full is null ? new DriveInfo(folder).AvailableFreeSpace : 0;
        var leaving = CacheEviction.Choose(cached, manifest.Files, budget, free + BytesThere(manifest, key, cached))
            ?? throw Full(manifest, key, full);
        foreach (var one in leaving) _folders.TryRemove(one);
        _folders.Begin(key, manifest);
    }

    private long BytesThere(VersionManifest manifest, string key, IReadOnlyList<CachedFiles> cached)
    {
        HashSet<string> elsewhere = new(cached.SelectMany(one => one.Files).Select(file => file.Sha256), StringComparer.Ordinal);
        return VersionFetch.BytesThere(manifest, _folders.Partial(key), _folders.Target(key, manifest), file => elsewhere.Contains(file.Sha256));
    }

    private IOException Full(VersionManifest manifest, string key, Exception? fault)
    {
        var coming = _folders.Cached(key).Sum(one => one.YetToCome);
        return new IOException(
            $"There is no room for {manifest.Model} {manifest.Version}: it needs {DiskSpace.Megabytes(manifest.Bytes)} in {folder}, where all "
            + $"versions may take {DiskSpace.Megabytes(budget)} and {DiskSpace.Megabytes(new DriveInfo(folder).AvailableFreeSpace)} of the disk are "
            + "free"
                + (coming > 0 ? $", of which other fetches have yet to take {DiskSpace.Megabytes(coming)}. " : ". ")
                + "Free some space, raise --model-cache, or choose another --data.",
            fault);
    }
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

    /// <summary>How much of it came over the network, in words.</summary>
    public string Transferred => FetchedBytes < manifest.Bytes
        ? $"{DiskSpace.Megabytes(FetchedBytes)} of {DiskSpace.Megabytes(manifest.Bytes)}, as the rest was on this machine"
        : DiskSpace.Megabytes(FetchedBytes);

    public void Dispose() => use.Dispose();
}
