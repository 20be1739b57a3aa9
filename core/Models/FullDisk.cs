namespace R1Serverless.Models;

/// <summary>Tells a full disk from other faults of files.</summary>
internal static class FullDisk
{
    // Linux's ENOSPC, EDQUOT and EFBIG, macOS's EDQUOT, Windows' ERROR_HANDLE_DISK_FULL and ERROR_DISK_FULL.
    private static readonly int[] Codes = [28, 122, 27, 69, unchecked((int)0x80070027), unchecked((int)0x80070070)];

    /// <summary>Whether a write failed because nothing more fits: on the disk, or into the quota.</summary>
    public static bool Is(Exception fault) => fault is IOException && Array.IndexOf(Codes, fault.HResult) >= 0;
}
