namespace R1Serverless.ModelRegistry;

/// <summary>The use file of a version, open for reading as long as the version is used: it was used to the end, not only when it was
/// opened.</summary>
public sealed class CacheUse : IDisposable
{
    private const int MaxLooks = 500;

    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(10);

    private readonly FileStream _stream;
    private readonly TimeProvider _time;

    private CacheUse(FileStream stream, TimeProvider time) => (_stream, _time) = (stream, time);

    /// <summary>Keeps the cached version that a model's folder belongs to, for whoever named it by its path; null where it belongs to none.</summary>
    public static async Task<CacheUse?> OfModelAsync(string modelFolder, TimeProvider time, CancellationToken cancellationToken)
    {
        var path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(modelFolder));
        if (!Directory.Exists(path)) return null;
        return Path.GetDirectoryName(Directory.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path) is { } version
            ? await OpenAsync(Path.Combine(version, CacheFolders.UseFile), time, cancellationToken)
            : null;
    }

    /// <summary>Null if it is not there, or is removed.</summary>
    internal static async Task<CacheUse?> OpenAsync(string path, TimeProvider time, CancellationToken cancellationToken)
    {
        for (var looks = 0; File.Exists(path) && looks < MaxLooks; looks++)
        {
            if (TryOpen(path, time) is { } use) return use;
            // Another process has it alone for a moment while it looks whether anybody uses it, or removes it.
            await Task.Delay(Glance, time, cancellationToken);
        }

        return null;
    }

    /// <summary>Null if it is not there, or somebody has it alone.</summary>
    private static CacheUse? TryOpen(string path, TimeProvider time)
    {
        FileStream stream;
        try
        {
            stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        }
        catch (IOException)
        {
            return null;
        }

        if (!IsAt(stream, path))
        {
            stream.Dispose();
            return null;
        }

        CacheUse use = new(stream, time);
        use.Touch();
        return use;
    }

    /// <summary>
    /// Whether the file that was opened there, and then locked, is still the one there. Between the two the version may have been moved away, and
    /// another have taken its place. Their times of writing tell them apart; that somebody uses it just now may too, so whoever is told no looks
    /// again.
    /// </summary>
    internal static bool IsAt(FileStream opened, string path) => File.GetLastWriteTimeUtc(opened.SafeFileHandle) == File.GetLastWriteTimeUtc(path);

    /// <summary>Whether a version has to stay: somebody uses it, or this user may not remove it. One without the file is no version. A fetch's lock
    /// says the same of it.</summary>
    internal static bool IsHeld(string path)
    {
        try
        {
            using FileStream alone = new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
            return false;
        }
        catch (FileNotFoundException)
        {
            return false;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return true;
        }
    }

    public void Dispose()
    {
        if (_stream.CanRead) Touch();
        _stream.Dispose();
    }

    /// <summary>A cache that came with an image may belong to another user, or lie on a disk that is read-only: then nobody removes it
    /// either.</summary>
    private void Touch()
    {
        try
        {
            File.SetLastWriteTimeUtc(_stream.SafeFileHandle, _time.GetUtcNow().UtcDateTime);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // It was used when it was made.
        }
    }
}
