namespace R1Serverless.Generation;

/// <summary>Wakes those that wait for room in the memory. Used under the host's lock.</summary>
internal sealed class RoomSignal
{
    private TaskCompletionSource? _next;

    /// <summary>Ends when something may have become free after now.</summary>
    public Task Next => (_next ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    public void Pulse()
    {
        _next?.SetResult();
        _next = null;
    }
}
