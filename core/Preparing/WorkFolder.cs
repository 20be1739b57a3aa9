namespace R1Serverless.Preparing;

/// <summary>
/// A hidden folder beside what is prepared, deleted at the end. A file in it, held open, tells it from an abandoned one, which a killed process left behind or which was set aside: a preparation removes those.
/// </summary>
internal sealed class WorkFolder : IDisposable
{
    public const string Prefix = ".new-", LockFile = ".lock";

    private readonly FileStream _lock;

    private WorkFolder(string path, FileStream held) => (Path, _lock) = (path, held);

    public string Path { get; }

    /// <exception cref="IOException">The disk is full, or can't be written.</exception>
    public static WorkFolder Create(string root)
    {
        while (true)
        {
            string path = Directory.CreateDirectory(System.IO.Path.Combine(root, $"{Prefix}{Guid.NewGuid():n}")).FullName;
            // Before it is held it looks abandoned, and another process may just remove it.
            if (TryHold(path) is { } held) return new WorkFolder(path, held);
        }
    }

    /// <summary>Those of processes that were killed, and what was set aside.</summary>
    public static void RemoveAbandoned(string root)
    {
        foreach (string left in Directory.EnumerateDirectories(root, $"{Prefix}*"))
        {
            try
            {
                using FileStream? alone = TryHold(left);
                if (alone is not null) Directory.Delete(left, recursive: true);
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                // Its process removes it, or it is another user's.
            }
        }
    }

    /// <summary>Makes a folder that is no longer wanted an abandoned one: it is out of the way at once, and what of it is in use and can't be deleted yet is out of the way as well.</summary>
    /// <exception cref="IOException">It can't be renamed.</exception>
    public static void SetAside(string path) => Directory.Move(path, System.IO.Path.Combine(System.IO.Path.GetDirectoryName(path)!, $"{Prefix}{Guid.NewGuid():n}"));

    /// <summary>The same; what can't be renamed stays.</summary>
    public static void TrySetAside(string path)
    {
        try
        {
            SetAside(path);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // Windows renames nothing of which a file is in use.
        }
    }

    public void Dispose()
    {
        _lock.Dispose();
        try
        {
            Directory.Delete(Path, recursive: true);
        }
        catch (IOException) when (!Directory.Exists(Path))
        {
            // Another process found it abandoned just now.
        }
    }

    /// <summary>Null where another process holds it, or has removed it.</summary>
    private static FileStream? TryHold(string path)
    {
        string file = System.IO.Path.Combine(path, LockFile);
        FileStream held;
        try
        {
            held = new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        }
        catch (IOException) when (File.Exists(file) || !Directory.Exists(path))
        {
            return null;
        }

        // It may have been opened before it was removed, and locked after.
        if (File.Exists(file)) return held;
        held.Dispose();
        return null;
    }
}
