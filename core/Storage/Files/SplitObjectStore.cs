namespace R1Serverless.Storage.Files;

/// <summary>Two stores that are one: what lies below some folders is in <paramref name="rows"/>, all else in <paramref name="files"/>.</summary>
/// <param name="folders">Prefixes of one segment and a slash.</param>
public sealed class SplitObjectStore(IObjectStore rows, IObjectStore files, IReadOnlyList<string> folders) : IObjectStore
{
    public ValueTask<string?> PutAsync(string name, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellationToken) =>
        Of(name).PutAsync(name, content, condition, cancellationToken);

    public ValueTask PutAsync(string name, Stream content, CancellationToken cancellationToken) =>
        Of(name).PutAsync(name, content, cancellationToken);

    public ValueTask<StoredObject?> GetAsync(string name, CancellationToken cancellationToken) => Of(name).GetAsync(name, cancellationToken);

    public ValueTask<Stream?> OpenAsync(string name, CancellationToken cancellationToken) => Of(name).OpenAsync(name, cancellationToken);

    public ValueTask<ObjectHead?> FindAsync(string name, CancellationToken cancellationToken) => Of(name).FindAsync(name, cancellationToken);

    public ValueTask<ObjectChange> GetIfChangedAsync(string name, string knownTag, CancellationToken cancellationToken) =>
        Of(name).GetIfChangedAsync(name, knownTag, cancellationToken);

    public ValueTask<int?> ReadAsync(string name, string tag, long offset, Memory<byte> into, CancellationToken cancellationToken) =>
        Of(name).ReadAsync(name, tag, offset, into, cancellationToken);

    public ValueTask<bool> ExistsAsync(string name, CancellationToken cancellationToken) => Of(name).ExistsAsync(name, cancellationToken);

    public ValueTask<bool> DeleteAsync(string name, CancellationToken cancellationToken) => Of(name).DeleteAsync(name, cancellationToken);

    public IAsyncEnumerable<ObjectEntry> ListAsync(string prefix, CancellationToken cancellationToken) =>
        Of(prefix).ListAsync(prefix, cancellationToken);

    private IObjectStore Of(string name)
    {
        foreach (var folder in folders)
        {
            if (name.StartsWith(folder, StringComparison.Ordinal)) return rows;
        }

        return files;
    }
}
