namespace R1Serverless.Delivery;

/// <summary>
/// First loads of versions on this machine that ended with their process, as by a fault in native code or for memory: each load holds a file while it lasts, and what a dead process
/// left is nobody's. So a version that no process survives is not loaded by each one that is started in its place.
/// </summary>
/// <param name="folder">Of one repository; made when it is first needed.</param>
public sealed class LoadAttempts(string folder, TimeProvider time)
{
    /// <summary>After so many a version is left alone: one or two may have been killed for another reason.</summary>
    public const int Most = 3;

    private const string Extension = ".trying";

    /// <summary>Two variants of a version that load at once are one attempt.</summary>
    private static readonly string Self = Guid.NewGuid().ToString("n");

    /// <summary>Whatever was the matter may have passed.</summary>
    private static readonly TimeSpan Counts = TimeSpan.FromHours(1);

    /// <summary>To be disposed when the load has ended, well or not; null where this process is at it already, or the folder can't be written.</summary>
    /// <param name="key">By which the cache knows the version.</param>
    public IDisposable? Begin(string model, string key)
    {
        try
        {
            Directory.CreateDirectory(folder);
            return new Attempt(Path.Combine(folder, $"{model}.{key}.{Self}{Extension}"));
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>How often a process ended while it loaded the version, in the last hour.</summary>
    public int CountLost(string model, string key)
    {
        int lost = 0;
        foreach (string path in Left(model, key))
        {
            if (time.GetUtcNow().UtcDateTime - File.GetLastWriteTimeUtc(path) < Counts) lost++;
            else TryDelete(path);
        }

        return lost;
    }

    /// <summary>Removes what was lost: the version was loaded after all.</summary>
    public void Forget(string model, string key)
    {
        foreach (string path in Left(model, key)) TryDelete(path);
    }

    /// <summary>What no process holds any more.</summary>
    private List<string> Left(string model, string key)
    {
        List<string> left = [];
        foreach (string path in Directory.Exists(folder) ? Directory.GetFiles(folder, $"{model}.{key}.*{Extension}") : [])
        {
            try
            {
                using FileStream alone = new(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
                left.Add(path);
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                // Its process is at it, or has just ended well.
            }
        }

        return left;
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // It ends to count by itself.
        }
    }

    private sealed class Attempt(string path) : IDisposable
    {
        private readonly FileStream _held = new(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);

        public void Dispose()
        {
            // First: Windows deletes nothing that is open like this.
            _held.Dispose();
            TryDelete(path);
        }
    }
}
