namespace R1Serverless.Abstractions.Threading;

/// <summary>Work that goes on until it is told to stop, in parts that make no sense without each other.</summary>
public static class BackgroundWork
{
    /// <summary>
    /// Ends when all parts have ended. A part that fails stops the others at once, and its fault is thrown when they have ended:
    /// <see cref="Task.WhenAll(Task[])"/> would keep it until the others end, which they may never do.
    /// </summary>
    /// <param name="parts">Each ends when its token is cancelled.</param>
    public static async Task RunAsync(CancellationToken stop, params Func<CancellationToken, Task>[] parts)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stop);
        await Task.WhenAll(parts.Select(part => RunAsync(part, either)));
    }

    /// <summary>Does the same now and every period until it is told to stop, one turn at a time; ends without an exception then.</summary>
    public static async Task RepeatAsync(TimeSpan period, TimeProvider time, Func<CancellationToken, Task> turn, CancellationToken stop)
    {
        using PeriodicTimer timer = new(period, time);
        try
        {
            do await turn(stop);
            while (await timer.WaitForNextTickAsync(stop));
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The caller wants no more turns.
        }
    }

    private static async Task RunAsync(Func<CancellationToken, Task> part, CancellationTokenSource either)
    {
        try
        {
            await part(either.Token);
        }
        catch when (!either.IsCancellationRequested)
        {
            await either.CancelAsync();
            throw;
        }
    }
}
