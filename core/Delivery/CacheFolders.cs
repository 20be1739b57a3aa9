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
    public IDisposable? TryUse(string key, DateTime now)
    {
        string path = Path.Combine(Version(key), UseFile);
        FileStream use;
        try
        {
            use = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        }
        catch (IOException)
        {
            return null;
        }

        // It may have been opened before the version was moved away, and locked after.
        if (!File.Exists(path))
        {
            use.Dispose();
            return null;
        }

        Touch(use, now);
        return use;
    }

    /// <summary>Whether there is such a version, in use, being looked at or being removed.</summary>
    public bool Has(string key) => File.Exists(Path.Combine(Version(key), UseFile));

    /// <summary>False if it is in use; true also where it was not there.</summary>
    public bool TryRemove(string key)
    {
        string aside = Path.Combine(folder, Trash, Guid.NewGuid().ToString("N"));
        try
        {
            using (FileStream alone = new(Path.Combine(Version(key), UseFile), FileMode.Open, FileAccess.ReadWrite, FileShare.None, bufferSize: 0))
            {
                Directory.Move(Version(key), aside);
            }

            Directory.Delete(aside, recursive: true);
            return true;
        }
        catch (IOException)
        {
            return !Directory.Exists(Version(key));
        }
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
            catch (IOException)
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
            catch (IOException)
            {
                // Who removes it is at it.
            }
        }
    }

    /// <summary>What a folder's files take; a file under way counts in full, though parts of it may not be written yet.</summary>
    public static long BytesOnDisk(string path)
    {
        DirectoryInfo info = new(path);
        return info.Exists ? info.EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length) : 0;
    }

    private IEnumerable<string> Keys()
    {
        DirectoryInfo versions = new(Path.Combine(folder, Versions));
        return versions.Exists ? versions.EnumerateDirectories().Select(one => one.Name) : [];
    }

    private CachedFiles? Read(string key)
    {
        if (Manifest(key) is not { } manifest) return null;
        string use = Path.Combine(Version(key), UseFile);
        return new CachedFiles(key, File.GetLastWriteTimeUtc(use), IsHeld(use), manifest.Files);
    }

    private VersionManifest? Manifest(string key)
    {
        string path = Path.Combine(Version(key), VersionManifest.FileName);
        try
        {
            return VersionManifest.Read(File.ReadAllBytes(path), path);
        }
        catch (Exception fault) when (fault is IOException or InvalidModelException)
        {
            return null;
        }
    }

    /// <summary>A cache that came with an image may belong to another user, or lie on a disk that is read-only: then nobody removes it either.</summary>
    private static void Touch(FileStream use, DateTime now)
    {
        try
        {
            File.SetLastWriteTimeUtc(use.SafeFileHandle, now);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // It was used when it was made.
        }
    }

    private static bool IsHeld(string path)
    {
        try
        {
            using FileStream alone = new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }
}
