using R1Serverless.Models;

namespace R1Serverless.ModelRegistry;

/// <summary>What lies where in the cache, and who uses it. A version is in use while any process has its use file open for reading; who removes it
/// must have that file alone.</summary>
internal sealed class CacheFolders(string folder)
{
    public const string UseFile = ".use";

    private const string Versions = "versions", Partials = "partial", Locks = "locks", Trash = "trash";

    private static readonly TimeSpan AbandonedAfter = TimeSpan.FromDays(2);

    public void Create()
    {
        foreach (var one in (string[])[Versions, Partials, Locks, Trash]) Directory.CreateDirectory(Path.Combine(folder, one));
    }

    public string Version(string key) => Path.Combine(folder, Versions, key);

    /// <summary>Where a version is while it is fetched, with its journal.</summary>
    public string Partial(string key) => Path.Combine(folder, Partials, key);

    public string Lock(string name) => Path.Combine(folder, Locks, name);

    /// <summary>Where the files of a version are while they are fetched.</summary>
    public string Target(string key, VersionManifest manifest) => Path.Combine(Partial(key), manifest.Model);

    /// <summary>Null if the version is not there, or is removed.</summary>
    public Task<CacheUse?> UseAsync(string key, TimeProvider time, CancellationToken cancellationToken) =>
        CacheUse.OpenAsync(Path.Combine(Version(key), UseFile), time, cancellationToken);

    /// <summary>Whether there is such a version, in use, being looked at or being removed.</summary>
    public bool Has(string key) => File.Exists(Path.Combine(Version(key), UseFile));

    /// <summary>What was chosen to leave; false if it is in use meanwhile.</summary>
    public bool TryRemove(CachedFiles one) => one.IsFetch ? TryRemoveFetch(one.Key) : TryRemove(one.Key);

    /// <summary>False if it is in use; true also where it was not there.</summary>
    public bool TryRemove(string key)
    {
        try
        {
            // One without the file is no version, but takes its room and its place.
            return TryRemove(key,
                new FileStream(Path.Combine(Version(key), UseFile), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0));
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return !Directory.Exists(Version(key));
        }
    }

    /// <param name="alone">The use file that was found there; this disposes it.</param>
    internal bool TryRemove(string key, FileStream alone)
    {
        var aside = Path.Combine(folder, Trash, Guid.NewGuid().ToString("N"));
        using (alone)
        {
            // What stands there now may be another's, in use.
            if (!CacheUse.IsAt(alone, Path.Combine(Version(key), UseFile))) return !Directory.Exists(Version(key));
            Directory.Move(Version(key), aside);
        }

        Directory.Delete(aside, recursive: true);
        return true;
    }

    /// <summary>Begins to fetch a version, or goes on: from now on others count what is yet to come of it. Whoever has its lock calls this.</summary>
    public void Begin(string key, VersionManifest manifest)
    {
        var staging = Directory.CreateDirectory(Partial(key)).FullName;
        if (Manifest(staging) is not null) return;
        using var stream = File.Create(Path.Combine(staging, VersionManifest.FileName));
        stream.Write(manifest.Write());
        // As the files after it: a machine that loses its power must not find it empty.
        stream.Flush(flushToDisk: true);
    }

    /// <summary>Makes a version of what was fetched. Whoever has its lock calls this.</summary>
    public void Place(string key)
    {
        var staging = Partial(key);
        File.Delete(Path.Combine(staging, FetchJournal.FileName));
        File.Create(Path.Combine(staging, UseFile)).Dispose();
        if (!Has(key)) TryRemove(key);
        Directory.Move(staging, Version(key));
    }

    /// <summary>All versions, but those that are just removed, and all fetches.</summary>
    /// <param name="own">The key of the fetch that asks, which is left out.</param>
    public IReadOnlyList<CachedFiles> Cached(string own)
    {
        CachedFiles[] versions = [.. Keys().Select(Read).OfType<CachedFiles>()];
        HashSet<string> known = new(versions.SelectMany(one => one.Files).Select(file => file.Sha256), StringComparer.Ordinal);
        return [.. versions, .. Fetches(own).Select(key => ReadFetch(key, known)).OfType<CachedFiles>()];
    }

    /// <summary>Where a verified file of a hash lies, in any version.</summary>
    public IReadOnlyDictionary<string, string> VerifiedFiles()
    {
        Dictionary<string, string> found = new(StringComparer.Ordinal);
        foreach (var key in Keys())
        {
            if (Manifest(Version(key)) is not { } manifest) continue;
            foreach (var file in manifest.Files)
            {
                var path = file.In(Path.Combine(Version(key), manifest.Model));
                if (VerifiedFile.IsMarked(path, file)) found[file.Sha256] = path;
            }
        }

        return found;
    }

    /// <summary>What killed processes left: fetches that nobody has gone on with for long, or of which nobody can say what they are, and versions
    /// half removed.</summary>
    /// <param name="own">The key of the fetch that asks.</param>
    public void RemoveAbandoned(string own, DateTime now)
    {
        foreach (var key in Fetches(own).Where(key => now - LastWrite(key) > AbandonedAfter || Manifest(Partial(key)) is null))
            TryRemoveFetch(key);

        foreach (var left in new DirectoryInfo(Path.Combine(folder, Trash)).EnumerateDirectories())
        {
            try
            {
                left.Delete(recursive: true);
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                // Who removes it is at it.
            }
        }
    }

    /// <summary>False if somebody goes on with it: the lock of a fetch under way is held.</summary>
    private bool TryRemoveFetch(string key)
    {
        try
        {
            using FileStream alone = new(Lock(key), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
            Directory.Delete(Partial(key), recursive: true);
            return true;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private string[] Fetches(string own) =>
        [.. Directory.EnumerateDirectories(Path.Combine(folder, Partials)).Select(Path.GetFileName).OfType<string>().Where(key => key != own)];

    /// <summary>When something was last fetched of it.</summary>
    private DateTime LastWrite(string key)
    {
        DateTime begun = Directory.GetLastWriteTimeUtc(Partial(key)),
            written = File.GetLastWriteTimeUtc(Path.Combine(Partial(key), FetchJournal.FileName));
        return written > begun ? written : begun;
    }

    /// <param name="known">Hashes of files that versions have: what a fetch has of them it links.</param>
    private CachedFiles? ReadFetch(string key, HashSet<string> known)
    {
        try
        {
            if (Manifest(Partial(key)) is not { } manifest) return null;
            var isUnderWay = CacheUse.IsHeld(Lock(key));
            var there = VersionFetch.BytesThere(manifest, Partial(key), Target(key, manifest), file => known.Contains(file.Sha256));
            // Two fetches at once link nothing of each other: what no version has, each brings itself.
            var own = isUnderWay ? Math.Max(there, manifest.Files.Where(file => !known.Contains(file.Sha256)).Sum(file => file.Bytes)) : there;
            VersionFile[] files = [.. manifest.Files.Where(file => known.Contains(file.Sha256)), new VersionFile(key, own, $"{key} {Partials}")];
            return new CachedFiles(key, LastWrite(key), isUnderWay, files) { IsFetch = true, YetToCome = own - there };
        }
        catch (IOException)
        {
            return null;
        }
    }

    private IEnumerable<string> Keys()
    {
        DirectoryInfo versions = new(Path.Combine(folder, Versions));
        return versions.Exists ? versions.EnumerateDirectories().Select(one => one.Name) : [];
    }

    private CachedFiles? Read(string key)
    {
        var use = Path.Combine(Version(key), UseFile);
        try
        {
            // What can't be read takes room too, and has to leave for others.
            IReadOnlyList<VersionFile> files = Manifest(Version(key)) is { } manifest
                ? [.. manifest.Files,
                new VersionFile(PreparedManifest.FolderName, PreparedBytes(Path.Combine(Version(key), manifest.Model, PreparedManifest.FolderName)),
                    $"{key} {PreparedManifest.FolderName}")]
                : [new VersionFile(key, Bytes(new DirectoryInfo(Version(key))), key)];
            return new CachedFiles(key, File.GetLastWriteTimeUtc(use), CacheUse.IsHeld(use), files);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>What was prepared for this machine below a version, and what is under way there.</summary>
    private static long PreparedBytes(string path)
    {
        DirectoryInfo info = new(path);
        return info.Exists
            ? info.EnumerateDirectories()
            .Sum(one => PreparedManifest.Find(Path.Combine(one.FullName, PreparedManifest.FileName))?.Bytes ?? Bytes(one)) : 0;
    }

    private static long Bytes(DirectoryInfo folder) => folder.EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length);

    /// <param name="within">A version, or a fetch of one.</param>
    private static VersionManifest? Manifest(string within)
    {
        var path = Path.Combine(within, VersionManifest.FileName);
        try
        {
            return VersionManifest.Read(File.ReadAllBytes(path), path);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or InvalidModelException)
        {
            return null;
        }
    }
}
