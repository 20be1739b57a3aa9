using System.Runtime.CompilerServices;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Batches;

/// <summary>All batches: <c>batches/{id}/job.json</c>, an index for each owner, and a mark <c>active-batches/{owner}/{id}</c> for each that a driver
/// still has to look at. The mark's age, by the store's clock, is the batch's.</summary>
public sealed class BatchJobs(IObjectStore store, TimeProvider time)
{
    private const string ActiveFolder = "active-batches/";

    private static readonly byte[] Mark = "batch"u8.ToArray();

    private readonly CancellationMarkers _cancellations = new(store);

    /// <summary>An id that is free.</summary>
    public string NewId() => StoreId.New("batch_", time.GetUtcNow());

    /// <summary>Keeps a new batch, to be driven from now on. One that has the id already stays, and is returned.</summary>
    public async ValueTask<BatchJob> CreateAsync(BatchJob job, CancellationToken cancellationToken)
    {
        // The job comes last: a mark without one is removed in time, but a job without a mark would never be driven.
        await store.PutAsync(ActiveName(StoreId.Folder(job.Owner), job.Id), Mark, PutCondition.Absent, cancellationToken);
        await store.PutAsync(Index(job.Owner) + job.Id, Mark, PutCondition.Always, cancellationToken);
        if (await store.PutAsync(JobName(job.Id), BatchJson.Write(job, BatchJson.Default.BatchJob), PutCondition.Absent,
            cancellationToken) is not null) return job;
        return await GetAsync(job.Id, cancellationToken) is { } there ? there.Job
            : throw new InvalidDataException($"{JobName(job.Id)} is there and not there.");
    }

    /// <summary>Null if the owner has no such batch.</summary>
    public async ValueTask<BatchJob?> FindAsync(string id, string owner, CancellationToken cancellationToken) =>
        StoreId.IsPossible(id) && await GetAsync(id, cancellationToken) is { } found && found.Job.Owner == owner ? found.Job : null;

    /// <summary>The owner's batches, newest first, one by one.</summary>
    /// <param name="after">Only those older than this one; null means from the newest.</param>
    public async IAsyncEnumerable<BatchJob> ListAsync(string owner, string? after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var id in await OwnerIndex.ListAsync(store, Index(owner), after, oldestFirst: false, cancellationToken))
        {
            if (await FindAsync(id, owner, cancellationToken) is { } job) yield return job;
        }
    }

    /// <summary>Lines of the owner's batches that have not ended. Reads a job for each batch, and no more of them than are needed to reach
    /// <paramref name="most"/>.</summary>
    public async ValueTask<long> CountOpenLinesAsync(string owner, long most, CancellationToken cancellationToken)
    {
        var folder = $"{ActiveFolder}{StoreId.Folder(owner)}/";
        long open = 0;
        await foreach (var entry in store.ListAsync(folder, cancellationToken))
        {
            if (open >= most) break;
            if (await GetAsync(entry.Name[folder.Length..], cancellationToken) is { } found) open += found.Job.OpenLines;
        }

        return open;
    }

    /// <summary>Asks a batch to stop, unless it has ended or is about to; the batch as it is then, null if there is none.</summary>
    public async ValueTask<BatchJob?> CancelAsync(string id, CancellationToken cancellationToken)
    {
        while (await GetAsync(id, cancellationToken) is { } found)
        {
            if (found.Job.State is not (BatchState.Validating or BatchState.InProgress)) return found.Job;
            var cancelling = found.Job with { State = BatchState.Cancelling, Times = found.Job.Times with { Cancelling = Now } };
            if (await TryPutAsync(cancelling, found.Tag, cancellationToken) is null) continue;
            await MarkCancelledAsync(id, cancellationToken);
            return cancelling;
        }

        return null;
    }

    /// <summary>Now, in Unix seconds.</summary>
    internal long Now => time.GetUtcNow().ToUnixTimeSeconds();

    /// <summary>Where all objects of a batch are but its files and results.</summary>
    internal static string Folder(string id) => $"batches/{id}/";

    /// <summary>Tells the workers that no line of the batch is wanted any more.</summary>
    internal ValueTask MarkCancelledAsync(string id, CancellationToken cancellationToken) => _cancellations.SetAsync(id, cancellationToken);

    internal async ValueTask<TaggedJob?> GetAsync(string id, CancellationToken cancellationToken) =>
        await store.GetAsync(JobName(id), cancellationToken) is { } stored
            ? new TaggedJob(BatchJson.Read(stored.Content.Span, BatchJson.Default.BatchJob, JobName(id)), stored.Tag)
            : null;

    /// <summary>Null if somebody else has written it meanwhile, else the new tag.</summary>
    internal ValueTask<string?> TryPutAsync(BatchJob job, string tag, CancellationToken cancellationToken) =>
        store.PutAsync(JobName(job.Id), BatchJson.Write(job, BatchJson.Default.BatchJob), PutCondition.Unchanged(tag), cancellationToken);

    internal async ValueTask<IReadOnlyList<ActiveBatch>> ListActiveAsync(CancellationToken cancellationToken)
    {
        List<ActiveBatch> active = [];
        await foreach (var entry in store.ListAsync(ActiveFolder, cancellationToken))
        {
            if (entry.Name[ActiveFolder.Length..].Split('/') is [var owner, var id]) active.Add(new ActiveBatch(owner, id, entry.Age));
        }

        return active;
    }

    /// <summary>The objects that batches which have not ended read.</summary>
    internal async ValueTask<IReadOnlySet<string>> ListInputsAsync(CancellationToken cancellationToken)
    {
        HashSet<string> inputs = new(StringComparer.Ordinal);
        foreach (var active in await ListActiveAsync(cancellationToken))
        {
            if (await GetAsync(active.Id, cancellationToken) is { Job: { IsEnded: false } job }) inputs.Add(job.Input);
        }

        return inputs;
    }

    /// <summary>No driver has to look at the batch any more.</summary>
    internal ValueTask<bool> RemoveActiveAsync(ActiveBatch batch, CancellationToken cancellationToken) =>
        store.DeleteAsync(ActiveName(batch.OwnerFolder, batch.Id), cancellationToken);

    private static string JobName(string id) => Folder(id) + "job.json";

    private static string ActiveName(string ownerFolder, string id) => $"{ActiveFolder}{ownerFolder}/{id}";

    private static string Index(string owner) => $"batch-index/{StoreId.Folder(owner)}/";
}

/// <param name="Tag">Of the object, see <see cref="StoredObject.Tag"/>.</param>
internal sealed record TaggedJob(BatchJob Job, string Tag);

/// <param name="OwnerFolder">Stands for the owner.</param>
/// <param name="Age">Since its creation, by the store's clock.</param>
internal sealed record ActiveBatch(string OwnerFolder, string Id, TimeSpan Age);
