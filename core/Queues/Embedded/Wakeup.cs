namespace R1Serverless.Queues.Embedded;

/// <summary>Tells those who wait that there may be something. Take <see cref="Next"/> before looking, so that nothing falls between.</summary>
internal sealed class Wakeup
{
    private TaskCompletionSource _next = New();

    public Task Next => Volatile.Read(ref _next).Task;

    public void Signal() => Interlocked.Exchange(ref _next, New()).TrySetResult();

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
