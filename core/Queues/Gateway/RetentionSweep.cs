using R1Serverless.Queues.Batches;
using R1Serverless.Queues.Webhooks;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Gateway;

/// <summary>Removes what nobody comes back for any more: results that are older than the retention, with all that belongs to their requests. What has
/// no result yet may still wait, and stays until <see cref="LongestWait"/> has passed as well. Ages are the store's; several may run at one
/// time.</summary>
/// <param name="retention">How long results are kept.</param>
public sealed class RetentionSweep(IObjectStore store, TimeSpan retention)
{
    /// <summary>No request waits longer in a queue, dead letters included.</summary>
    public static readonly TimeSpan LongestWait = TimeSpan.FromDays(14);

    private const string Extension = RequestRecords.Extension;

    // A mark stops what runs; whatever of the request comes later finds its result.
    private static readonly TimeSpan MarkTime = TimeSpan.FromHours(1);

    private TimeSpan Longest => LongestWait + retention;

    /// <summary>Purges once; how many objects are gone.</summary>
    /// <exception cref="TransportException">The store can't be reached; what was done is done.</exception>
    public async ValueTask<int> RunAsync(CancellationToken cancellationToken)
    {
        HashSet<string> pending = new(StringComparer.Ordinal), ended = new(StringComparer.Ordinal), old = new(StringComparer.Ordinal);
        var purged = 0;
        await foreach (var entry in store.ListAsync(WebhookDeliveries.Folder, cancellationToken))
        {
            if (entry.Age > Longest) purged += await DeleteAsync(entry.Name, cancellationToken);
            else pending.Add(IdOf(entry.Name));
        }

        await foreach (var entry in store.ListAsync(ResultStore.Folder, cancellationToken))
        {
            // Those in folders are lines of batches, which their batch needs to its end.
            if (entry.Name.LastIndexOf('/') >= ResultStore.Folder.Length)
            {
                if (entry.Age > Longest) purged += await DeleteAsync(entry.Name, cancellationToken);
                continue;
            }

            ended.Add(IdOf(entry.Name));
            if (entry.Age > retention && !pending.Contains(IdOf(entry.Name))) old.Add(IdOf(entry.Name));
        }

        // Before its result: a record alone would look like a request that waits.
        purged += await PurgeAsync(
            RequestRecords.Folder, entry => old.Contains(IdOf(entry.Name)) || (entry.Age > Longest && !ended.Contains(IdOf(entry.Name))),
            cancellationToken);
        foreach (var id in old) purged += await DeleteAsync($"{ResultStore.Folder}{id}{Extension}", cancellationToken);
        await foreach (var entry in store.ListAsync(IdempotencyKeys.Folder, cancellationToken))
        {
            if (entry.Age > retention && !await IsKeptAsync(entry.Name, cancellationToken))
                purged += await DeleteAsync(entry.Name, cancellationToken);
        }

        purged += await PurgeAsync(
            CancellationMarkers.Folder, entry => entry.Age > Longest || (entry.Age > MarkTime && ended.Contains(IdOf(entry.Name))),
            cancellationToken);
        purged += await FileExpiry.PurgeAsync(store, cancellationToken);
        return purged + await PurgeAsync(ClaimCheck.Folder, entry => entry.Age > Longest, cancellationToken);
    }

    private async ValueTask<int> PurgeAsync(string folder, Func<ObjectEntry, bool> isOver, CancellationToken cancellationToken)
    {
        var purged = 0;
        await foreach (var entry in store.ListAsync(folder, cancellationToken))
        {
            if (isOver(entry)) purged += await DeleteAsync(entry.Name, cancellationToken);
        }

        return purged;
    }

    private static string IdOf(string name)
    {
        var last = name[(name.LastIndexOf('/') + 1)..];
        return last.EndsWith(Extension, StringComparison.Ordinal) ? last[..^Extension.Length] : last;
    }

    /// <summary>Whether the request that a client's key stands for has a record.</summary>
    private async ValueTask<bool> IsKeptAsync(string name, CancellationToken cancellationToken)
    {
        if (await store.GetAsync(name, cancellationToken) is not { } stored) return false;
        var owner = name[IdempotencyKeys.Folder.Length..name.LastIndexOf('/')];
        IdempotencyEntry entry;
        try
        {
            entry = IdempotencyKeys.Read(stored.Content.Span);
        }
        catch (MalformedMessageException)
        {
            // It stands for nothing, and must not keep the rest from being purged.
            return false;
        }

        return await store.ExistsAsync($"{RequestRecords.Folder}{owner}/{entry.Id}{Extension}", cancellationToken);
    }

    private async ValueTask<int> DeleteAsync(string name, CancellationToken cancellationToken) =>
        await store.DeleteAsync(name, cancellationToken) ? 1 : 0;
}
