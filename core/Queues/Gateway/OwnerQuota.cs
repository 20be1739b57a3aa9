using System.Collections.Concurrent;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Threading;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Gateway;

/// <summary>Bounds how much durable work of one key waits: records without a result, and what <paramref name="others"/> counts. Between two counts
/// what this process adds is added, so several gateways together may exceed the limit by what they take in within <see cref="LongestBelief"/>. Each
/// key is counted by itself, from its own objects. Safe for several threads.</summary>
/// <param name="others">Counts work of a key that has no record of its own; need not count on from its second argument.</param>
public sealed class OwnerQuota(IObjectStore store, Func<string, long, CancellationToken, ValueTask<long>> others, TimeProvider time)
{
    /// <summary>A count is believed for so long, or until it reaches the limit.</summary>
    public static readonly TimeSpan LongestBelief = TimeSpan.FromMinutes(1);

    /// <summary>The limit is not counted again within this time: until then the key is refused.</summary>
    public static readonly TimeSpan ShortestBelief = TimeSpan.FromSeconds(5);

    /// <summary>Results that are looked for at once: a remote store answers each in milliseconds.</summary>
    private const int AtOnce = 32;

    private readonly ConcurrentDictionary<string, Count> _counts = new(StringComparer.Ordinal);
    private readonly ResultStore _results = new(store);

    /// <summary>Adds work of the key unless it would have more than it may.</summary>
    /// <param name="requests">How many, at least 1.</param>
    /// <param name="limit">As many as the key may have.</param>
    /// <exception cref="TransportException">The store can't be reached.</exception>
    public async ValueTask<bool> TryAddAsync(string owner, long requests, long limit, CancellationToken cancellationToken)
    {
        if (requests > limit) return false;
        var count = _counts.GetOrAdd(owner, _ => new Count());
        if (IsDue(count, requests, limit))
        {
            using var turn = await count.Turn.EnterAsync(cancellationToken);
            if (IsDue(count, requests, limit)) await CountAsync(owner, limit, count, cancellationToken);
        }

        if (Interlocked.Add(ref count.Waiting, requests) <= limit) return true;
        Interlocked.Add(ref count.Waiting, -requests);
        return false;
    }

    private bool IsDue(Count count, long requests, long limit)
    {
        var at = Volatile.Read(ref count.At);
        var belief = Volatile.Read(ref count.Waiting) + requests > limit ? ShortestBelief : LongestBelief;
        return at == 0 || time.GetElapsedTime(at) >= belief;
    }

    private async ValueTask CountAsync(string owner, long limit, Count count, CancellationToken cancellationToken)
    {
        var before = Volatile.Read(ref count.Waiting);
        var started = time.GetTimestamp();
        var waiting = await CountRecordsAsync(owner, limit, count.Ended, cancellationToken);
        if (waiting < limit) waiting += await others(owner, limit - waiting, cancellationToken);
        // What was added meanwhile may or may not have been listed: it counts.
        Interlocked.Add(ref count.Waiting, waiting - before);
        Volatile.Write(ref count.At, started);
    }

    /// <summary>The key's requests without a result; may stop at the limit.</summary>
    /// <param name="ended">Those that are known to have one: the first result stays, so that no other count has to look for it.</param>
    private async ValueTask<long> CountRecordsAsync(string owner, long limit, HashSet<string> ended, CancellationToken cancellationToken)
    {
        var folder = RequestRecords.FolderOf(owner);
        List<ObjectEntry> records = [];
        await foreach (var entry in store.ListAsync(folder, cancellationToken)) records.Add(entry);
        // Those that were purged since are forgotten.
        ended.IntersectWith(records.Select(Id));
        long waiting = 0;
        // The youngest first: they wait most likely, and the limit ends the search.
        foreach (var ids in records.OrderBy(entry => entry.Age).Select(Id).Where(id => !ended.Contains(id)).Chunk(AtOnce))
        {
            var have = await Task.WhenAll(ids.Select(id => _results.ExistsAsync(new RequestId(id), cancellationToken).AsTask()));
            ended.UnionWith(ids.Where((_, i) => have[i]));
            waiting += have.Count(one => !one);
            if (waiting >= limit) break;
        }

        return waiting;

        string Id(ObjectEntry entry) => entry.Name[folder.Length..^RequestRecords.Extension.Length];
    }

    private sealed class Count
    {
        public long Waiting;
        public long At;

        /// <summary>One count of the key at a time, and of no other key's.</summary>
        public SemaphoreSlim Turn { get; } = new(1, 1);

        /// <summary>Only for who has the turn.</summary>
        public HashSet<string> Ended { get; } = new(StringComparer.Ordinal);
    }
}
