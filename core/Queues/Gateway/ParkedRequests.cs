using System.Runtime.CompilerServices;
using System.Text;
using R1Serverless.Requests;

namespace R1Serverless.Queues;

/// <summary>
/// Requests that are not in the queue yet: <c>parked/{keeper}/{owner}/{when}-{id}</c>, in the order of their coming. A keeper is a process; <c>parked-by/{keeper}</c>
/// is there as long as it keeps any, and is written again and again by whoever moves them on. Every method may throw <see cref="TransportException"/>.
/// </summary>
/// <param name="keeper">This process.</param>
internal sealed class ParkedRequests(IObjectStore store, string keeper, TimeProvider time)
{
    private const string Folder = "parked/", Marks = "parked-by/";

    private readonly byte[] _name = Encoding.UTF8.GetBytes(keeper);
    private int _count;

    /// <summary>Durable when the task completes.</summary>
    public async ValueTask AddAsync(string ownerFolder, QueuedRequest message, CancellationToken cancellationToken)
    {
        // The count keeps the order within a millisecond.
        string when = $"{time.GetUtcNow().ToUnixTimeMilliseconds():D15}-{Interlocked.Increment(ref _count):D10}";
        await store.PutAsync($"{Folder}{keeper}/{ownerFolder}/{when}-{message.Request.Id.Value}", MessageFormat.Write(message), PutCondition.Absent, cancellationToken);
    }

    /// <summary>The oldest of a shelf.</summary>
    public async ValueTask<IReadOnlyList<ObjectEntry>> ListAsync(Shelf shelf, int most, CancellationToken cancellationToken)
    {
        List<ObjectEntry> entries = [];
        await foreach (ObjectEntry entry in store.ListAsync($"{Folder}{shelf.Keeper}/{shelf.OwnerFolder}/", cancellationToken))
        {
            entries.Add(entry);
            if (entries.Count >= most) break;
        }

        return entries;
    }

    /// <summary>Null if somebody else has moved it on. What is left of its deadline counts from its coming.</summary>
    /// <exception cref="MalformedMessageException">It is no such message.</exception>
    public async ValueTask<QueuedRequest?> ReadAsync(ObjectEntry entry, CancellationToken cancellationToken)
    {
        if (await store.GetAsync(entry.Name, cancellationToken) is not { } stored) return null;
        QueuedRequest message = MessageFormat.ReadRequest(stored.Content.Span);
        if (message.Request.Deadline is not { } deadline) return message;
        TimeSpan left = deadline - entry.Age;
        // One that is over is left to a worker, which ends it as any other.
        return message with { Request = message.Request with { Deadline = left > TimeSpan.Zero ? left : TimeSpan.FromMilliseconds(1) } };
    }

    /// <summary>Whose it is, also where it can't be read.</summary>
    public static RequestId IdOf(ObjectEntry entry) => new(entry.Name[(entry.Name.LastIndexOf('-') + 1)..]);

    public ValueTask<bool> RemoveAsync(ObjectEntry entry, CancellationToken cancellationToken) => store.DeleteAsync(entry.Name, cancellationToken);

    /// <summary>Says that this process lives and moves on what it keeps, whoever has taken that over.</summary>
    public async ValueTask MarkAsync(CancellationToken cancellationToken) => await store.PutAsync(Marks + keeper, _name, PutCondition.Always, cancellationToken);

    /// <summary>It keeps nothing.</summary>
    public ValueTask<bool> UnmarkAsync(CancellationToken cancellationToken) => store.DeleteAsync(Marks + keeper, cancellationToken);

    /// <summary>Says once more that this process moves on what another one kept; false where it is not this one's to move on any more.</summary>
    public async ValueTask<bool> HoldAsync(string one, CancellationToken cancellationToken) =>
        await FindOwnAsync(one, cancellationToken) is { } mark && await store.PutAsync(Marks + one, _name, PutCondition.Unchanged(mark.Tag), cancellationToken) is not null;

    /// <summary>Nothing is left of what another one kept. If it lives after all the mark is its own again, and stays.</summary>
    public async ValueTask ReleaseAsync(string one, CancellationToken cancellationToken)
    {
        if (await FindOwnAsync(one, cancellationToken) is not null) await store.DeleteAsync(Marks + one, cancellationToken);
    }

    /// <summary>Takes over what keepers have that have been silent for so long, each by one process alone; the shelves, one by one.</summary>
    public async IAsyncEnumerable<Shelf> AdoptAsync(TimeSpan silence, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        List<string> silent = [];
        await foreach (ObjectEntry mark in store.ListAsync(Marks, cancellationToken))
        {
            string one = mark.Name[Marks.Length..];
            if (one != keeper && mark.Age >= silence && await store.GetAsync(mark.Name, cancellationToken) is { } seen
                && await store.PutAsync(mark.Name, _name, PutCondition.Unchanged(seen.Tag), cancellationToken) is not null) silent.Add(one);
        }

        foreach (string one in silent)
        {
            string prefix = $"{Folder}{one}/", last = "";
            await foreach (ObjectEntry entry in store.ListAsync(prefix, cancellationToken))
            {
                string owner = entry.Name[prefix.Length..entry.Name.LastIndexOf('/')];
                if (owner == last) continue;
                last = owner;
                yield return new Shelf(one, owner);
            }

            // No shelf will say that it is empty.
            if (last.Length == 0) await ReleaseAsync(one, cancellationToken);
        }
    }

    private async ValueTask<StoredObject?> FindOwnAsync(string one, CancellationToken cancellationToken) =>
        await store.GetAsync(Marks + one, cancellationToken) is { } mark && mark.Content.Span.SequenceEqual(_name) ? mark : null;
}

/// <summary>What a process has parked of one owner.</summary>
internal readonly record struct Shelf(string Keeper, string OwnerFolder);
