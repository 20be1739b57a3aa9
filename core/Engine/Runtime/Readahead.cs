using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace R1Serverless.Engine.Runtime;

/// <summary>Asks the system to read a file into its cache while something else is being done, or to forget it. Where it can't, nothing is lost but
/// time.</summary>
public static partial class Readahead
{
    private const int WillNeed = 3, DontNeed = 4;

    /// <summary>Bytes per call: the system takes no more than it likes of a larger one.</summary>
    private const long Chunk = 8 << 20;

    /// <summary>Begins on a thread of its own.</summary>
    public static void Begin(string path)
    {
        if (!OperatingSystem.IsLinux()) return;
        new Thread(() => Read(path)) { IsBackground = true, Name = "readahead" }.Start();
    }

    /// <summary>The opposite, for measurements: whether the file was dropped from the cache. Pages that are mapped or yet to be written
    /// stay.</summary>
    public static bool Drop(SafeFileHandle file) => OperatingSystem.IsLinux() && Advise((int)file.DangerousGetHandle(), 0, 0, DontNeed) == 0;

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
