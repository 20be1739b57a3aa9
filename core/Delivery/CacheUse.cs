namespace R1Serverless.Delivery;

/// <summary>The use file of a version, open for reading as long as the version is used: it was used to the end, not only when it was opened.</summary>
internal sealed class CacheUse : IDisposable
{
    private readonly FileStream _stream;
    private readonly TimeProvider _time;

    private CacheUse(FileStream stream, TimeProvider time) => (_stream, _time) = (stream, time);

    /// <summary>Null if it is not there, or somebody has it alone.</summary>
    public static CacheUse? TryOpen(string path, TimeProvider time)
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

        // It may have been opened before the version was moved away, and locked after.
        if (!File.Exists(path))
        {
            stream.Dispose();
            return null;
        }

        CacheUse use = new(stream, time);
        use.Touch();
        return use;
    }

    /// <summary>Whether a version has to stay: somebody uses it, or this user may not remove it. One without the file is no version.</summary>
    public static bool IsHeld(string path)
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

    /// <summary>A cache that came with an image may belong to another user, or lie on a disk that is read-only: then nobody removes it either.</summary>
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
