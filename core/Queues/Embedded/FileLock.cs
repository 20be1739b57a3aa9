namespace R1Serverless.Queues.Embedded;

/// <summary>Mutual exclusion between the processes of a machine by a file that one of them has open alone; the system gives it back when a process dies.</summary>
internal static class FileLock
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(2);

    /// <summary>Dispose to give back.</summary>
    /// <param name="patience">How long others may hold it.</param>
    /// <param name="pause">Between two looks, where 2 ms would be too often.</param>
    /// <exception cref="TransportException">It was not to be had.</exception>
    public static async ValueTask<IDisposable> TakeAsync(string path, TimeProvider time, TimeSpan patience, CancellationToken cancellationToken, TimeSpan? pause = null)
    {
        long start = time.GetTimestamp();
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
            }
            catch (IOException fault) when (fault.GetType() == typeof(IOException))
            {
                if (time.GetElapsedTime(start) > patience) throw new TransportException($"The lock '{path}' is not to be had: {fault.Message}", fault);
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                throw new TransportException($"The lock '{path}' can't be opened: {fault.Message}", fault, isPermanent: true);
            }

            await Task.Delay(pause ?? Pause, time, cancellationToken);
        }
    }
}
