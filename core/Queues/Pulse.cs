namespace R1Serverless.Queues;

/// <summary>Wakes those that wait for a change. What changes before somebody asks for <see cref="Next"/> is not told: look at the state after asking.</summary>
internal sealed class Pulse
{
    private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends at the next change.</summary>
    public Task Next => Volatile.Read(ref _next).Task;

    public void Beat() => Interlocked.Exchange(ref _next, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();

    /// <summary>Waits for a change seen from <paramref name="next"/>, or for as long as <paramref name="patience"/>.</summary>
    public static async Task WaitAsync(Task next, TimeSpan patience, TimeProvider time, CancellationToken cancellationToken)
    {
        using CancellationTokenSource ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await Task.WhenAny(next, Task.Delay(patience, time, ended.Token));
        await ended.CancelAsync();
    }
}
