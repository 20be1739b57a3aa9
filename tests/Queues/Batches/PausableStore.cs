using R1Serverless.Storage;

namespace R1Serverless.Tests.Queues.Batches;

/// <summary>One process's way to a store that others use, too. Paused, every call of it hangs, as if the process were frozen or killed.</summary>
internal sealed class PausableStore(IObjectStore inner) : IObjectStore
{
    private readonly Lock _door = new();
    private volatile TaskCompletionSource? _pause;

    /// <summary>Called before each write with the object's name: may pause.</summary>
    public Action<string>? BeforePut { get; set; }

    public bool IsPaused => _pause is not null;

    /// <summary>From now on: a write of the process's is either done or hangs, wherever its thread is.</summary>
    public void Pause()
    {
        lock (_door) _pause ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    public void Resume() => Interlocked.Exchange(ref _pause, null)?.SetResult();

    public async ValueTask<string?> PutAsync(string name, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellationToken)
    {
        BeforePut?.Invoke(name);
        while (true)
        {
            await GateAsync();
            ValueTask<string?> put;
            lock (_door)
            {
                if (IsPaused) continue;
                put = inner.PutAsync(name, content, condition, cancellationToken);
            }

            return await put;
        }
    }

    public async ValueTask PutAsync(string name, Stream content, CancellationToken cancellationToken)
    {
        BeforePut?.Invoke(name);
        await GateAsync();
        await inner.PutAsync(name, content, cancellationToken);
    }

    public async ValueTask<StoredObject?> GetAsync(string name, CancellationToken cancellationToken)
    {
        await GateAsync();
        return await inner.GetAsync(name, cancellationToken);
    }

    public async ValueTask<Stream?> OpenAsync(string name, CancellationToken cancellationToken)
    {
        await GateAsync();
        return await inner.OpenAsync(name, cancellationToken);
    }

    public async ValueTask<bool> ExistsAsync(string name, CancellationToken cancellationToken)
    {
        await GateAsync();
        return await inner.ExistsAsync(name, cancellationToken);
    }

    public async ValueTask<bool> DeleteAsync(string name, CancellationToken cancellationToken)
    {
        await GateAsync();
        return await inner.DeleteAsync(name, cancellationToken);
    }

    public async IAsyncEnumerable<ObjectEntry> ListAsync(string prefix,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await GateAsync();
        await foreach (var entry in inner.ListAsync(prefix, cancellationToken)) yield return entry;
    }

    private Task GateAsync() => _pause?.Task ?? Task.CompletedTask;
}
