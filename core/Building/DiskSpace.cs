using R1Serverless.Models;

namespace R1Serverless.Building;

/// <summary>Room for a build: asked for before it, and missed in the middle of it.</summary>
internal static class DiskSpace
{
    private const string WayOut = "free some space, choose another --output, or fewer precisions";

    /// <summary>Better said before an hour's work than after it. What the system does not tell is tried.</summary>
    /// <exception cref="IOException">There is less than <paramref name="bytes"/>.</exception>
    public static void Require(string folder, long bytes)
    {
        var free = new DriveInfo(folder).AvailableFreeSpace;
        if (free < bytes) throw new IOException($"The model needs {Megabytes(bytes)}, but {folder} has only {free / 1_000_000} MB free: {WayOut}.");
    }

    /// <summary>Whether a write failed because nothing more fits: on the disk, or into the quota.</summary>
    public static bool IsMissing(IOException fault) => FullDisk.Is(fault);

    /// <summary>What to say of a build that such a fault ended.</summary>
    /// <param name="folder">Where it wrote.</param>
    /// <param name="bytes">What the whole model takes.</param>
    /// <param name="fault">Why it ended.</param>
    public static IOException RanOut(string folder, long bytes, IOException fault) =>
        new($"The disk was full before the model was written: it needs {Megabytes(bytes)} in {folder}. What was written is removed; {WayOut}.", fault);

    /// <summary>Rounded up: what needs something does not need nothing.</summary>
    private static string Megabytes(long bytes) => $"{(bytes + 999_999) / 1_000_000} MB";
}
