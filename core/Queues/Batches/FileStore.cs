using System.Runtime.CompilerServices;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Batches;

/// <summary>A file of the API.</summary>
/// <param name="Created">In Unix seconds.</param>
/// <param name="Purpose">batch, or batch_output for what batches write.</param>
/// <param name="Lines">Lines that are not blank; null where they were not counted.</param>
/// <param name="Expires">In Unix seconds; null where it is kept until it is deleted.</param>
public sealed record StoredFile(
    string Id, string Owner, string Name, string Purpose, long Bytes, long Created, long? Lines = null, long? Expires = null);

/// <param name="Lines">As <see cref="StoredFile.Lines"/>.</param>
public readonly record struct ContentSize(long Bytes, long Lines);

/// <summary>The files of all owners: <c>files/{id}/content</c>, then <c>file-index/{owner}/{id}</c>, and last <c>files/{id}/meta.json</c>, which
/// makes the file exist. Each owner sees only its own.</summary>
public sealed class FileStore(IObjectStore store, TimeProvider time)
{
    public const string BatchPurpose = "batch", OutputPurpose = "batch_output";

    /// <summary>An id that is free.</summary>
    public string NewId() => StoreId.New("file-", time.GetUtcNow());

    /// <summary>The object that holds a file's bytes.</summary>
    public static string Content(string id) => $"files/{id}/content";

    /// <summary>Stores the bytes of a file that is yet to be added; returns how much that was. The stream may throw to refuse: then nothing is
    /// left.</summary>
    public async ValueTask<ContentSize> PutContentAsync(string id, Stream content, CancellationToken cancellationToken)
    {
        CountedStream counted = new(content);
        await store.PutAsync(Content(id), counted, cancellationToken);
        return new ContentSize(counted.Bytes, counted.Lines);
    }

    /// <summary>Makes a file of bytes that are stored already.</summary>
    /// <param name="lifetime">Whole seconds; null keeps it until it is deleted.</param>
    public async ValueTask<StoredFile> AddAsync(string id, string owner, string name, string purpose, ContentSize size, TimeSpan? lifetime,
        CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow().ToUnixTimeSeconds();
        StoredFile file = new(id, owner, name, purpose, size.Bytes, now, size.Lines, now + (long?)lifetime?.TotalSeconds);
        if (lifetime is not null) await store.PutAsync(FileExpiry.Mark(file), "file"u8.ToArray(), PutCondition.Always, cancellationToken);
        await store.PutAsync(Index(owner) + id, "file"u8.ToArray(), PutCondition.Always, cancellationToken);
        await store.PutAsync(Meta(id), BatchJson.Write(file, BatchJson.Default.StoredFile), PutCondition.Always, cancellationToken);
        return file;
    }

    public ValueTask<bool> DropContentAsync(string id, CancellationToken cancellationToken) => store.DeleteAsync(Content(id), cancellationToken);

    /// <summary>Null if the owner has no such file, or its time is up.</summary>
    public async ValueTask<StoredFile?> FindAsync(string id, string owner, CancellationToken cancellationToken) =>
        await ReadAsync(id, cancellationToken) is { } file && file.Owner == owner && !(file.Expires <= time.GetUtcNow().ToUnixTimeSeconds()) ? file
        : null;

    /// <summary>Whoever owns it.</summary>
    internal async ValueTask<StoredFile?> ReadAsync(string id, CancellationToken cancellationToken) =>
        StoreId.IsPossible(id) && await store.GetAsync(Meta(id), cancellationToken) is { } stored
            ? BatchJson.Read(stored.Content.Span, BatchJson.Default.StoredFile, Meta(id))
            : null;

    /// <summary>The owner's files from the newest, or the oldest, one by one.</summary>
    /// <param name="after">Only those behind this one in that order; null means from the first.</param>
    public async IAsyncEnumerable<StoredFile> ListAsync(string owner, string? after, bool oldestFirst,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var id in await OwnerIndex.ListAsync(store, Index(owner), after, oldestFirst, cancellationToken))
        {
            if (await FindAsync(id, owner, cancellationToken) is { } file) yield return file;
        }
    }

    /// <summary>The bytes, to be disposed by the caller; null if they are gone.</summary>
    public ValueTask<Stream?> OpenAsync(StoredFile file, CancellationToken cancellationToken) => store.OpenAsync(Content(file.Id), cancellationToken);

    public async ValueTask DeleteAsync(StoredFile file, CancellationToken cancellationToken)
    {
        await store.DeleteAsync(Meta(file.Id), cancellationToken);
        await store.DeleteAsync(Index(file.Owner) + file.Id, cancellationToken);
        await store.DeleteAsync(Content(file.Id), cancellationToken);
        // Last: until then a purge goes on with what this left.
        if (file.Expires is not null) await store.DeleteAsync(FileExpiry.Mark(file), cancellationToken);
    }

    private static string Meta(string id) => $"files/{id}/meta.json";

    private static string Index(string owner) => $"file-index/{StoreId.Folder(owner)}/";
}
