using System.Runtime.CompilerServices;
using R1Serverless.Queues;
using R1Serverless.Queues.Embedded;

namespace R1Serverless.Delivery;

/// <summary>
/// A repository in a folder, for reading. A share that is not mounted is an empty folder, or none, in which every object is missing: what is not found is told as missing only while
/// there are models at all, and else as a repository that can't be reached.
/// </summary>
/// <param name="folder">The repository's.</param>
internal sealed class MountedFolder(string folder, FileObjectStore files) : IObjectStore
{
    private readonly string _models = Path.Combine(folder, SharedRepository.Root);

    /// <exception cref="TransportException">There are no models.</exception>
    public void Require()
    {
        if (!Directory.Exists(_models))
            throw new TransportException($"There is nothing at {folder}: where it is a share, it is not mounted; else `r1 model push NAME --activate` puts a model there.");
    }

    public async ValueTask<StoredObject?> GetAsync(string name, CancellationToken cancellationToken) => Found(await files.GetAsync(name, cancellationToken));

    public async ValueTask<Stream?> OpenAsync(string name, CancellationToken cancellationToken) => Found(await files.OpenAsync(name, cancellationToken));

    public async ValueTask<ObjectHead?> FindAsync(string name, CancellationToken cancellationToken) => Found(await files.FindAsync(name, cancellationToken));

    public async ValueTask<ObjectChange> GetIfChangedAsync(string name, string knownTag, CancellationToken cancellationToken)
    {
        ObjectChange change = await files.GetIfChangedAsync(name, knownTag, cancellationToken);
        if (change.IsChange) Found(change.Object);
        return change;
    }

    public async ValueTask<int?> ReadAsync(string name, string tag, long offset, Memory<byte> into, CancellationToken cancellationToken)
    {
        int? read = await files.ReadAsync(name, tag, offset, into, cancellationToken);
        if (read is null) Require();
        return read;
    }

    public async ValueTask<bool> ExistsAsync(string name, CancellationToken cancellationToken)
    {
        bool exists = await files.ExistsAsync(name, cancellationToken);
        if (!exists) Require();
        return exists;
    }

    public async IAsyncEnumerable<ObjectEntry> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (ObjectEntry entry in files.ListAsync(prefix, cancellationToken)) yield return entry;
        Require();
    }

    public ValueTask<string?> PutAsync(string name, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellationToken) => files.PutAsync(name, content, condition, cancellationToken);

    public ValueTask PutAsync(string name, Stream content, CancellationToken cancellationToken) => files.PutAsync(name, content, cancellationToken);

    public ValueTask<bool> DeleteAsync(string name, CancellationToken cancellationToken) => files.DeleteAsync(name, cancellationToken);

    private T Found<T>(T found)
    {
        if (found is null) Require();
        return found;
    }
}
