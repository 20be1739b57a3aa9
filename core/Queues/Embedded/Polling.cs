namespace R1Serverless.Queues.Embedded;

/// <summary>When to look again for what other processes did: soon at first, then less and less often. What this process did wakes at once.</summary>
internal sealed class Polling(TimeProvider time)
{
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(2), Longest = TimeSpan.FromMilliseconds(25);

    private TimeSpan _pause = Shortest;

    public void Reset() => _pause = Shortest;

    public async ValueTask WaitAsync(Task woken, TimeSpan most, CancellationToken cancellationToken)
    {
        TimeSpan pause = _pause < most ? _pause : most;
        _pause = _pause * 1.5 < Longest ? _pause * 1.5 : Longest;
        await Task.WhenAny(woken, Task.Delay(pause, time, cancellationToken));
        cancellationToken.ThrowIfCancellationRequested();
    }
}
