using System.Runtime.CompilerServices;
using R1Serverless.Storage;
using R1Serverless.Storage.Files;

namespace R1Serverless.Queues.Sqlite;

/// <summary>Objects as rows of <c>queue.db</c>: many small ones cost far less there than a file each, and what is written together is committed
/// together. The content of a large one, or of a stream, lies in a file of its own, which never changes.</summary>
/// <param name="folder">For the files.</param>
internal sealed class RowObjectStore(QueueDatabase database, string folder, TimeProvider clock) : IObjectStore
{
    /// <summary>More are written to a file: in the database they would be written twice, and hold up the queue.</summary>
    public const int MaxInRow = 64 << 10;

    private const int ListedAtOnce = 1000, BufferBytes = 128 << 10;

    private static readonly TimeSpan AbandonedAfter = TimeSpan.FromDays(1);

    private long Now => clock.GetUtcNow().UtcTicks;

    /// <summary>Creates the folder, and removes what killed writers left. The database must be open.</summary>
    public async ValueTask OpenAsync()
    {
        var now = clock.GetUtcNow().UtcDateTime;
        FileInfo[] old = [.. Directory.CreateDirectory(folder).EnumerateFiles().Where(file => now - file.LastWriteTimeUtc > AbandonedAfter)];
        if (old.Length == 0) return;
        HashSet<string> used = [.. await database.ReadAsync(tables => tables.Objects.Files())];
        foreach (var file in old.Where(file => !used.Contains(file.Name))) file.Delete();
    }

    public async ValueTask<string?> PutAsync(string name, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellationToken)
    {
        ObjectName.Check(name);
        cancellationToken.ThrowIfCancellationRequested();
        if (content.Length <= MaxInRow) return await PutRowAsync(name, new ObjectBody(content.Length, content.ToArray(), null), condition);
        await using AtomicFile aside = new(folder);
        await aside.WriteAsync(content, cancellationToken);
        return await PutFileAsync(name, aside, content.Length, condition);
    }

    public async ValueTask PutAsync(string name, Stream content, CancellationToken cancellationToken)
    {
        ObjectName.Check(name);
        await using AtomicFile aside = new(folder);
        await PutFileAsync(name, aside, await aside.WriteAsync(content, cancellationToken), PutCondition.Always);
    }

    public async ValueTask<StoredObject?> GetAsync(string name, CancellationToken cancellationToken)
    {
        if (await FindAsync(name, bufferSize: 0, cancellationToken) is not var (row, stream)) return null;
        await using var file = stream;
        if (file is null) return new StoredObject(row.Content, ObjectTable.Tag(row.Written));
        var content = new byte[file.Length];
        await file.ReadExactlyAsync(content, cancellationToken);
        return new StoredObject(content, ObjectTable.Tag(row.Written));
    }

    public async ValueTask<Stream?> OpenAsync(string name, CancellationToken cancellationToken) =>
        await FindAsync(name, BufferBytes, cancellationToken) is var (row, stream)
        ? stream ?? (Stream)new MemoryStream(row.Content!, writable: false) : null;

    public async ValueTask<bool> ExistsAsync(string name, CancellationToken cancellationToken)
    {
        ObjectName.Check(name);
        cancellationToken.ThrowIfCancellationRequested();
        return await database.ReadAsync(tables => tables.Objects.Exists(name));
    }

    public async ValueTask<bool> DeleteAsync(string name, CancellationToken cancellationToken)
    {
        if (!await ExistsAsync(name, cancellationToken)) return false;
        if (await database.WriteAsync(tables => tables.Objects.Delete(name)) is not { } deleted) return false;
        Remove(deleted.OldFile);
        return true;
    }

    public async IAsyncEnumerable<ObjectEntry> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ObjectName.CheckPrefix(prefix);
        var now = Now;
        string after = prefix, before = $"{prefix[..^1]}{(char)('/' + 1)}";
        List<ListedObject> page;
        do
        {
            cancellationToken.ThrowIfCancellationRequested();
            var from = after;
            page = await database.ReadAsync(tables => tables.Objects.List(from, before, ListedAtOnce));
            foreach (var one in page) yield return new ObjectEntry(one.Name, one.Bytes, TimeSpan.FromTicks(Math.Max(0, now - one.Written)));
            if (page.Count > 0) after = page[^1].Name;
        }
        while (page.Count == ListedAtOnce);
    }

    private async ValueTask<string?> PutRowAsync(string name, ObjectBody body, PutCondition condition)
    {
        if (await database.WriteAsync(tables => tables.Objects.Put(name, body, condition, Now)) is not { } put) return null;
        Remove(put.OldFile);
        return ObjectTable.Tag(put.Written);
    }

    private async ValueTask<string?> PutFileAsync(string name, AtomicFile content, long bytes, PutCondition condition)
    {
        content.Close();
        var tag = await PutRowAsync(name, new ObjectBody(bytes, null, content.Name), condition);
        if (tag is not null) content.Keep();
        return tag;
    }

    /// <summary>The row, and its file opened if it has one; null if there is none.</summary>
    private async ValueTask<(ObjectRow Row, FileStream? Stream)?> FindAsync(string name, int bufferSize, CancellationToken cancellationToken)
    {
        ObjectName.Check(name);
        string? gone = null;
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (await database.ReadAsync(tables => tables.Objects.Find(name)) is not { } row) return null;
            if (row.File is not { } file) return (row, null);
            // Replaced after the row was read: the file that it names now is another.
            if (FileObjectStore.Find(name, Path.Combine(folder, file), bufferSize) is { } stream) return (row, stream);
            if (file == gone)
                throw new TransportException($"The content of the object '{name}' is gone: the file '{Path.Combine(folder, file)}' was deleted.",
                    isPermanent: true);
            gone = file;
        }
    }

    /// <summary>What can't be removed now is, once it is old, when the folder is opened.</summary>
    private void Remove(string? file)
    {
        if (file is null) return;
        try
        {
            File.Delete(Path.Combine(folder, file));
        }
        catch (Exception fault) when (StoreFault.Is(fault))
        {
            // Nothing names it any more.
        }
    }
}
