using System.Security.Cryptography;

namespace R1Serverless.ModelRegistry;

/// <summary>
/// A file that was held against its hash. Its time of writing is then set to a time that no file has by chance: whoever finds another time or another
/// size there knows that it was touched since, and holds it against its hash again.
/// </summary>
internal static class VerifiedFile
{
    public static readonly DateTime Mark = new(2001, 2, 3, 4, 5, 6, DateTimeKind.Utc);

    // EROFS, Windows' ERROR_WRITE_PROTECT.
    private static readonly int[] ReadOnlyDisk = [30, unchecked((int)0x80070013)];

    public static bool IsMarked(string path, VersionFile file)
    {
        FileInfo info = new(path);
        return info.Exists && info.Length == file.Bytes && info.LastWriteTimeUtc == Mark;
    }

    /// <summary>Whether the content is the file's; then it is on the disk for good, and marked unless it is another user's or the disk is
    /// read-only.</summary>
    public static async Task<bool> TryMarkAsync(string path, VersionFile file, CancellationToken cancellationToken)
    {
        if (!File.Exists(path)) return false;
        await using var stream = Open(path);
        if (stream.Length != file.Bytes || Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellationToken)) != file.Sha256)
            return false;
        if (!stream.CanWrite) return true;
        // A machine that loses its power after the version took its place must not find holes in it.
        stream.Flush(flushToDisk: true);
        File.SetLastWriteTimeUtc(stream.SafeFileHandle, Mark);
        return true;
    }

    private static FileStream Open(string path)
    {
        const FileOptions Whole = FileOptions.Asynchronous | FileOptions.SequentialScan;
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0, Whole);
        }
        catch (Exception fault) when (fault is UnauthorizedAccessException
            || (fault is IOException && Array.IndexOf(ReadOnlyDisk, fault.HResult) >= 0))
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, Whole);
        }
    }
}
