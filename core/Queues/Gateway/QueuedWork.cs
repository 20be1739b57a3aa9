using System.Collections.Concurrent;

namespace R1Serverless.Queues;

/// <summary>
/// Bounds how much durable work of one key waits. Counted are records without a result; between countings what this process adds is added, so that several
/// gateways together may exceed the limit by what they take in within <see cref="LongestBelief"/>. Safe for several threads.
/// </summary>
/// <param name="most">Requests of one key.</param>
public sealed class QueuedWork(IObjectStore store, int most, TimeProvider time)
{
    /// <summary>A count is believed for so long, or until it reaches the limit.</summary>
    public static readonly TimeSpan LongestBelief = TimeSpan.FromMinutes(1);

    /// <summary>The limit is not counted again within this time: until then the key is refused.</summary>
    public static readonly TimeSpan ShortestBelief = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<string, Count> _counts = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _counting = new(1, 1);

    /// <summary>Adds a request of the key unless it has as many as it may.</summary>
    /// <exception cref="TransportException">The store can't be reached.</exception>
    public ValueTask<bool> TryAddAsync(string owner, CancellationToken cancellationToken) => TryAddAsync(owner, most, cancellationToken);

    /// <param name="limit">As many as this key may have, instead of as many as every key.</param>
    public async ValueTask<bool> TryAddAsync(string owner, int limit, CancellationToken cancellationToken)
    {
        Count count = _counts.GetOrAdd(owner, _ => new Count());
        if (IsDue(count, limit))
        {
            await _counting.WaitAsync(cancellationToken);
            try
            {
                if (IsDue(count, limit)) await CountAsync(owner, count, cancellationToken);
            }
            finally
            {
                _counting.Release();
            }
        }

        if (Interlocked.Increment(ref count.Waiting) <= limit) return true;
        Interlocked.Decrement(ref count.Waiting);
        return false;
    }

    private bool IsDue(Count count, int limit) => Volatile.Read(ref count.At) is var at && (at == 0 || time.GetElapsedTime(at) >= (Volatile.Read(ref count.Waiting) >= limit ? ShortestBelief : LongestBelief));

    private async ValueTask CountAsync(string owner, Count count, CancellationToken cancellationToken)
    {
        int before = Volatile.Read(ref count.Waiting);
        long started = time.GetTimestamp();
        HashSet<string> open = new(StringComparer.Ordinal);
        string folder = RequestRecords.FolderOf(owner);
        await foreach (ObjectEntry entry in store.ListAsync(folder, cancellationToken)) open.Add(entry.Name[folder.Length..]);
        // No results to look through where no record is left.
        if (open.Count > 0)
        {
            await foreach (ObjectEntry entry in store.ListAsync(ResultStore.Folder, cancellationToken)) open.Remove(entry.Name[ResultStore.Folder.Length..]);
        }

        // What was added meanwhile may or may not have been listed: it counts.
        Interlocked.Add(ref count.Waiting, open.Count - before);
        Volatile.Write(ref count.At, started);
    }

    private sealed class Count
    {
        public int Waiting;
        public long At;
    }
}
