namespace R1Serverless.Abstractions.Threading;

/// <summary>Turns at a semaphore that end where they are disposed.</summary>
public static class SemaphoreTurns
{
    public static async ValueTask<Turn> EnterAsync(this SemaphoreSlim semaphore, CancellationToken cancellationToken)
    {
        await semaphore.WaitAsync(cancellationToken);
        return new Turn(semaphore);
    }

    public readonly struct Turn(SemaphoreSlim semaphore) : IDisposable
    {
        public void Dispose() => semaphore.Release();
    }
}
