namespace R1Serverless.Storage.Files;

/// <summary>A lock per object, shared by a few files: within the process by a semaphore, between processes by <see cref="FileLock"/>.</summary>
internal sealed class FileLocks(string folder, TimeProvider time)
{
    private const int Count = 64;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly SemaphoreSlim[] _semaphores = [.. Enumerable.Range(0, Count).Select(_ => new SemaphoreSlim(1))];

    public void Open() => Directory.CreateDirectory(folder);

    /// <summary>Dispose to give back.</summary>
    /// <exception cref="TransportException">It was not to be had.</exception>
    public async ValueTask<IDisposable> TakeAsync(string name, CancellationToken cancellationToken)
    {
        var index = Index(name);
        if (!await _semaphores[index].WaitAsync(Patience, cancellationToken))
            throw new TransportException(
                $"The lock of '{name}' is not to be had: this process itself has held it for {Patience.TotalSeconds:0} s, as where a disk hangs.");
        try
        {
            return new Held(_semaphores[index],
                await FileLock.TakeAsync(Path.Combine(folder, index.ToString("x2")), time, Patience, cancellationToken));
        }
        catch
        {
            _semaphores[index].Release();
            throw;
        }
    }

    /// <summary>The same in every process, unlike a string's own hash.</summary>
    private static int Index(string name)
    {
        var hash = 2166136261;
        foreach (var one in name) hash = (hash ^ one) * 16777619;
        return (int)(hash % Count);
    }

    private sealed class Held(SemaphoreSlim semaphore, IDisposable file) : IDisposable
    {
        public void Dispose()
        {
            file.Dispose();
            semaphore.Release();
        }
    }
}
