using System.Runtime.InteropServices;

namespace R1Serverless.Runtime;

/// <summary>Asks the system to read a file into its cache while something else is being done. Where it can't, nothing is lost but time.</summary>
internal static partial class Readahead
{
    private const int WillNeed = 3;

    /// <summary>Bytes per call: the system takes no more than it likes of a larger one.</summary>
    private const long Chunk = 8 << 20;

    /// <summary>Begins on a thread of its own.</summary>
    public static void Begin(string path)
    {
        if (!OperatingSystem.IsLinux()) return;
        new Thread(() => Read(path)) { IsBackground = true, Name = "readahead" }.Start();
    }

    private static void Read(string path)
    {
        try
        {
            using var file = File.OpenHandle(path);
            var length = RandomAccess.GetLength(file);
            for (var at = 0L; at < length; at += Chunk)
            {
                if (Advise((int)file.DangerousGetHandle(), at, Chunk, WillNeed) != 0) return;
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // Whoever opens it says so.
        }
    }

    [LibraryImport("libc", EntryPoint = "posix_fadvise")]
    private static partial int Advise(int file, long offset, long length, int advice);
}
