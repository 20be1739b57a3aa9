namespace R1Serverless.ModelBuilder;

/// <summary>
/// A hidden folder beside what is made in it, deleted at the end. A file in it, held open, tells it from an abandoned one, which a killed process
/// left behind or which was set aside: whoever works there next removes those.
/// </summary>
internal sealed class WorkFolder : IDisposable
{
    public const string Prefix = ".r1-new-", LockFile = ".lock";

    private readonly FileStream _lock;

    private WorkFolder(string path, FileStream held)
    {
        (Path, _lock) = (path, held);
        Done = Directory.CreateDirectory(System.IO.Path.Combine(path, "done")).FullName;
    }

    public string Path { get; }

    /// <summary>The folder in it that is to be moved to its place.</summary>
    public string Done { get; }

    /// <summary>Removes abandoned ones first.</summary>
    /// <exception cref="IOException">The disk is full, or can't be written.</exception>
    public static WorkFolder Create(string root)
    {
        Directory.CreateDirectory(root);
        RemoveAbandoned(root);
        while (true)
        {
            var path = Directory.CreateDirectory(NewPath(root)).FullName;
            // Before it is held it looks abandoned, and another process may just remove it.
            if (TryHold(path) is { } held) return new WorkFolder(path, held);
        }
    }

    /// <summary>Those of processes that were killed, and what was set aside.</summary>
    public static void RemoveAbandoned(string root)
    {
        foreach (var left in Directory.EnumerateDirectories(root, $"{Prefix}*"))
        {
            try
            {
                using var alone = TryHold(left);
                if (alone is not null) Directory.Delete(left, recursive: true);
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                // Its process removes it, or it is another user's.
            }
        }
    }

    /// <summary>Makes an unwanted folder an abandoned one: out of the way at once, also where something of it is in use and can't be deleted
    /// yet.</summary>
    /// <exception cref="IOException">It can't be renamed.</exception>
    public static void SetAside(string path) => Directory.Move(path, NewPath(System.IO.Path.GetDirectoryName(path)!));

    public void Dispose()
    {
        _lock.Dispose();
        try
        {
            Directory.Delete(Path, recursive: true);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // Another process found it abandoned just now, or the next one will.
        }
    }

    private static string NewPath(string root) => System.IO.Path.Combine(root, $"{Prefix}{Guid.NewGuid():n}");

    /// <summary>Null where another process holds it, or has removed it.</summary>
    private static FileStream? TryHold(string path)
    {
        var file = System.IO.Path.Combine(path, LockFile);
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
