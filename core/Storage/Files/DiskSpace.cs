namespace R1Serverless.Storage.Files;

/// <summary>Room for a model: asked for before it is built, and missed in the middle of it.</summary>
public static class DiskSpace
{
    // Linux's ENOSPC, EDQUOT and EFBIG, macOS's EDQUOT, Windows' ERROR_HANDLE_DISK_FULL and ERROR_DISK_FULL.
    private static readonly int[] FullCodes = [28, 122, 27, 69, unchecked((int)0x80070027), unchecked((int)0x80070070)];

    private const string WayOut = "free some space, choose another --output, or fewer precisions";

    /// <summary>Better said before an hour's work than after it. What the system does not tell is tried.</summary>
    /// <param name="folder">Need not be there yet: the nearest folder above it that is tells of its disk.</param>
    /// <exception cref="IOException">There is less than <paramref name="bytes"/>.</exception>
    public static void Require(string folder, long bytes)
    {
        var there = Path.GetFullPath(folder);
        while (!Directory.Exists(there) && Path.GetDirectoryName(there) is { } above) there = above;
        var free = new DriveInfo(there).AvailableFreeSpace;
        if (free < bytes) throw new IOException($"The model needs {Megabytes(bytes)}, but {folder} has only {free / 1_000_000} MB free: {WayOut}.");
    }

    /// <summary>Whether a write failed because nothing more fits: on the disk, or into the quota.</summary>
    public static bool IsMissing(IOException fault) => Array.IndexOf(FullCodes, fault.HResult) >= 0;

    /// <summary>What to say of a build that such a fault ended.</summary>
    /// <param name="folder">Where it wrote.</param>
    /// <param name="bytes">What the whole model takes.</param>
    /// <param name="fault">Why it ended.</param>
    public static IOException RanOut(string folder, long bytes, IOException fault) =>
        new($"The disk was full before the model was written: it needs {Megabytes(bytes)} in {folder}. What was written is removed; {WayOut}.",
            fault);

    /// <summary>Rounded up: what needs something does not need nothing.</summary>
    public static string Megabytes(long bytes) => $"{(bytes + 999_999) / 1_000_000} MB";
}
