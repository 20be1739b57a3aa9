namespace R1Serverless.Queues;

/// <summary>Wakes those that wait for a change. Who waits says how many beats were counted before the state was looked at, so that no change is missed.</summary>
internal sealed class Pulse
{
    private readonly Lock _gate = new();
    private readonly HashSet<TaskCompletionSource> _waiters = [];
    private long _beats;

    /// <summary>Changes so far.</summary>
    public long Beats => Volatile.Read(ref _beats);

    public void Beat()
    {
        TaskCompletionSource[] waiters;
        lock (_gate)
        {
            _beats++;
            if (_waiters.Count == 0) return;
            waiters = [.. _waiters];
            _waiters.Clear();
        }

        foreach (TaskCompletionSource waiter in waiters) waiter.TrySetResult();
    }

    /// <summary>Waits for a beat after the first <paramref name="seen"/>, at most for so long.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task WaitAsync(long seen, TimeSpan patience, TimeProvider time, CancellationToken cancellationToken)
    {
        TaskCompletionSource waiter = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (_beats != seen) return;
            _waiters.Add(waiter);
        }

        try
        {
            using ITimer timer = time.CreateTimer(static one => ((TaskCompletionSource)one!).TrySetResult(), waiter, patience, Timeout.InfiniteTimeSpan);
            using CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(static one => ((TaskCompletionSource)one!).TrySetResult(), waiter);
            await waiter.Task;
        }
        finally
        {
            lock (_gate) _waiters.Remove(waiter);
        }

        cancellationToken.ThrowIfCancellationRequested();
    }
}
