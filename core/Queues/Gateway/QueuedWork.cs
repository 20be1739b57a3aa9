using System.Collections.Concurrent;

namespace R1Serverless.Queues;

/// <summary>
/// Bounds how much durable work of one key waits. Counted are records without a result, and what <paramref name="others"/> counts; between countings what this process adds is added, so that several
/// gateways together may exceed the limit by what they take in within <see cref="LongestBelief"/>. Safe for several threads.
/// </summary>
/// <param name="others">Counts work of a key that has no record of its own; need not count on from its second argument.</param>
public sealed class QueuedWork(IObjectStore store, Func<string, long, CancellationToken, ValueTask<long>> others, TimeProvider time)
{
    /// <summary>A count is believed for so long, or until it reaches the limit.</summary>
    public static readonly TimeSpan LongestBelief = TimeSpan.FromMinutes(1);

    /// <summary>The limit is not counted again within this time: until then the key is refused.</summary>
    public static readonly TimeSpan ShortestBelief = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<string, Count> _counts = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _counting = new(1, 1);

    /// <summary>Adds work of the key unless it would have more than it may.</summary>
    /// <param name="requests">How many, at least 1.</param>
    /// <param name="limit">As many as the key may have.</param>
    /// <exception cref="TransportException">The store can't be reached.</exception>
    public async ValueTask<bool> TryAddAsync(string owner, long requests, long limit, CancellationToken cancellationToken)
    {
        if (requests > limit) return false;
        Count count = _counts.GetOrAdd(owner, _ => new Count());
        if (IsDue(count, requests, limit))
        {
            await _counting.WaitAsync(cancellationToken);
            try
            {
                if (IsDue(count, requests, limit)) await CountAsync(owner, limit, count, cancellationToken);
            }
            finally
            {
                _counting.Release();
            }
        }

        if (Interlocked.Add(ref count.Waiting, requests) <= limit) return true;
        Interlocked.Add(ref count.Waiting, -requests);
        return false;
    }

    private bool IsDue(Count count, long requests, long limit) =>
        Volatile.Read(ref count.At) is var at && (at == 0 || time.GetElapsedTime(at) >= (Volatile.Read(ref count.Waiting) + requests > limit ? ShortestBelief : LongestBelief));

    private async ValueTask CountAsync(string owner, long limit, Count count, CancellationToken cancellationToken)
    {
        long before = Volatile.Read(ref count.Waiting);
        long started = time.GetTimestamp();
        HashSet<string> open = new(StringComparer.Ordinal);
        string folder = RequestRecords.FolderOf(owner);
        await foreach (ObjectEntry entry in store.ListAsync(folder, cancellationToken)) open.Add(entry.Name[folder.Length..]);
        // No results to look through where no record is left.
        if (open.Count > 0)
        {
            await foreach (ObjectEntry entry in store.ListAsync(ResultStore.Folder, cancellationToken)) open.Remove(entry.Name[ResultStore.Folder.Length..]);
        }

        long waiting = open.Count < limit ? open.Count + await others(owner, limit - open.Count, cancellationToken) : open.Count;
        // What was added meanwhile may or may not have been listed: it counts.
        Interlocked.Add(ref count.Waiting, waiting - before);
        Volatile.Write(ref count.At, started);
    }

    private sealed class Count
    {
        public long Waiting;
        public long At;
    }
}
