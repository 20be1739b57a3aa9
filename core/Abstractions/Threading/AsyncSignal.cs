namespace R1Serverless.Abstractions.Threading;

/// <summary>
/// Wakes all who wait for a change. Read <see cref="Version"/> before looking at the state, and wait for a later one: so no change in between is
/// missed.
/// Safe for several threads.
/// </summary>
public sealed class AsyncSignal
{
    private readonly Lock _gate = new();
    private readonly HashSet<TaskCompletionSource<bool>> _waiters = [];
    private long _version;

    /// <summary>How often it has been set.</summary>
    public long Version => Volatile.Read(ref _version);

    public void Set()
    {
        TaskCompletionSource<bool>[] waiters;
        lock (_gate)
        {
            _version++;
            if (_waiters.Count == 0) return;
            waiters = [.. _waiters];
            _waiters.Clear();
        }

        foreach (var waiter in waiters) waiter.TrySetResult(true);
    }

    /// <summary>Waits until it has been set since a version; false if that did not happen within the timeout, which may be infinite.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task<bool> WaitAsync(long seen, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        // Not Task.WaitAsync: its continuations go over the thread pool, past the context of a test in virtual time.
        TaskCompletionSource<bool> waiter = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (_version != seen) return true;
            if (timeout <= TimeSpan.Zero && timeout != Timeout.InfiniteTimeSpan) return false;
            _waiters.Add(waiter);
        }

        try
        {
            using var timer = time.CreateTimer(
                static one => ((TaskCompletionSource<bool>)one!).TrySetResult(false), waiter, timeout, Timeout.InfiniteTimeSpan);
            using var registration =
                cancellationToken.UnsafeRegister(static (one, token) => ((TaskCompletionSource<bool>)one!).TrySetCanceled(token), waiter);
            return await waiter.Task;
        }
        finally
        {
            lock (_gate) _waiters.Remove(waiter);
        }
    }
}
