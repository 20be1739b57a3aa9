namespace R1Serverless.Storage.Files;

/// <summary>Mutual exclusion between the processes of a machine by a file that one of them has open alone; the system gives it back when a process
/// dies.</summary>
public static class FileLock
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(2);

    // Linux's and macOS's EWOULDBLOCK, Windows' ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION.
    private static readonly int[] HeldCodes = [11, 35, unchecked((int)0x80070020), unchecked((int)0x80070021)];

    /// <summary>Dispose to give back.</summary>
    /// <param name="patience">How long others may hold it.</param>
    /// <param name="pause">Between two looks, where 2 ms would be too often.</param>
    /// <exception cref="TransportException">It was not to be had: others held it for too long, or it can't be opened at all, which no waiting
    /// changes.</exception>
    public static async ValueTask<IDisposable> TakeAsync(string path, TimeProvider time, TimeSpan patience, CancellationToken cancellationToken,
        TimeSpan? pause = null)
    {
        var start = time.GetTimestamp();
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
            }
            catch (IOException fault) when (IsHeld(fault))
            {
                if (time.GetElapsedTime(start) > patience)
                    throw new TransportException($"The lock '{path}' is not to be had: {fault.Message}", fault);
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                throw new TransportException($"The lock '{path}' can't be opened: {fault.Message}", fault, isPermanent: true);
            }

            await Task.Delay(pause ?? Pause, time, cancellationToken);
        }
    }

    /// <summary>Whether somebody else has the file open, rather than that it can't be opened: a disk that is read-only or full, too many open
    /// files.</summary>
    public static bool IsHeld(Exception fault) => fault is IOException && Array.IndexOf(HeldCodes, fault.HResult) >= 0;
}
