using R1Serverless.Models;

namespace R1Serverless.Delivery;

/// <summary>What lies where in the cache, and who uses it. A version is in use while any process has its use file open for reading; who removes it must have that file alone.</summary>
internal sealed class CacheFolders(string folder)
{
    public const string UseFile = ".use";

    private const string Versions = "versions", Partials = "partial", Locks = "locks", Trash = "trash";

    private static readonly TimeSpan AbandonedAfter = TimeSpan.FromDays(2);

    public void Create()
    {
        foreach (string one in (string[])[Versions, Partials, Locks, Trash]) Directory.CreateDirectory(Path.Combine(folder, one));
    }

    public string Version(string key) => Path.Combine(folder, Versions, key);

    /// <summary>Where a version is while it is fetched, with its journal.</summary>
    public string Partial(string key) => Path.Combine(folder, Partials, key);

    public string Lock(string name) => Path.Combine(folder, Locks, name);

    /// <summary>Null if the version is not there, or is just being removed.</summary>
    public IDisposable? TryUse(string key, TimeProvider time) => CacheUse.TryOpen(Path.Combine(Version(key), UseFile), time);

    /// <summary>Whether there is such a version, in use, being looked at or being removed.</summary>
    public bool Has(string key) => File.Exists(Path.Combine(Version(key), UseFile));

    /// <summary>False if it is in use; true also where it was not there.</summary>
    public bool TryRemove(string key)
    {
        string aside = Path.Combine(folder, Trash, Guid.NewGuid().ToString("N"));
        try
        {
            // One without the file is no version, but takes its room and its place.
            using (FileStream alone = new(Path.Combine(Version(key), UseFile), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0))
            {
                Directory.Move(Version(key), aside);
            }

            Directory.Delete(aside, recursive: true);
            return true;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return !Directory.Exists(Version(key));
        }
    }

    /// <summary>Makes a version of what was fetched. Whoever has its lock calls this.</summary>
    public void Place(string key, VersionManifest manifest)
    {
        string staging = Partial(key);
        File.Delete(Path.Combine(staging, FetchJournal.FileName));
        using (FileStream stream = File.Create(Path.Combine(staging, VersionManifest.FileName)))
        {
            stream.Write(manifest.Write());
            // As the files before it: a machine that loses its power must not find it empty.
            stream.Flush(flushToDisk: true);
        }

        File.Create(Path.Combine(staging, UseFile)).Dispose();
        if (!Has(key)) TryRemove(key);
        Directory.Move(staging, Version(key));
    }

    /// <summary>All versions; those that are just removed are left out.</summary>
    public IReadOnlyList<CachedFiles> Cached() => [.. Keys().Select(Read).OfType<CachedFiles>()];

    /// <summary>Where a verified file of a hash lies, in any version.</summary>
    public IReadOnlyDictionary<string, string> VerifiedFiles()
    {
        Dictionary<string, string> found = new(StringComparer.Ordinal);
        foreach (string key in Keys())
        {
            if (Manifest(key) is not { } manifest) continue;
            foreach (VersionFile file in manifest.Files)
            {
                string path = Path.Combine([Version(key), manifest.Model, .. file.Path.Split('/')]);
                if (VerifiedFile.IsMarked(path, file)) found[file.Sha256] = path;
            }
        }

        return found;
    }

    /// <summary>What killed processes left: fetches that nobody has gone on with for long, and versions half removed. The lock of a fetch under way is held.</summary>
    /// <param name="own">The key of the fetch that asks.</param>
    public void RemoveAbandoned(string own, DateTime now)
    {
        foreach (DirectoryInfo left in new DirectoryInfo(Path.Combine(folder, Partials)).EnumerateDirectories().Where(one => one.Name != own && now - one.LastWriteTimeUtc > AbandonedAfter))
        {
            try
            {
                using FileStream alone = new(Lock(left.Name), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
                left.Delete(recursive: true);
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                // Somebody goes on with it.
            }
        }

        foreach (DirectoryInfo left in new DirectoryInfo(Path.Combine(folder, Trash)).EnumerateDirectories())
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

    private IEnumerable<string> Keys()
    {
        DirectoryInfo versions = new(Path.Combine(folder, Versions));
        return versions.Exists ? versions.EnumerateDirectories().Select(one => one.Name) : [];
    }

    private CachedFiles? Read(string key)
    {
        string use = Path.Combine(Version(key), UseFile);
        try
        {
            // What can't be read takes room too, and has to leave for others.
            IReadOnlyList<VersionFile> files = Manifest(key) is { } manifest
                ? [.. manifest.Files, new VersionFile(PreparedManifest.FolderName, PreparedBytes(Path.Combine(Version(key), manifest.Model, PreparedManifest.FolderName)), $"{key} {PreparedManifest.FolderName}")]
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
        return info.Exists ? info.EnumerateDirectories().Sum(one => PreparedManifest.Find(Path.Combine(one.FullName, PreparedManifest.FileName))?.Bytes ?? Bytes(one)) : 0;
    }

    private static long Bytes(DirectoryInfo folder) => folder.EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length);

    private VersionManifest? Manifest(string key)
    {
        string path = Path.Combine(Version(key), VersionManifest.FileName);
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
