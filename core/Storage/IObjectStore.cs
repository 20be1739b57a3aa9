namespace R1Serverless.Storage;

/// <summary>
/// Named objects: results, files, bodies too large for a message, marks. A name is a path of segments separated by slashes, each of 1 to 128 letters,
/// digits, '-', '_' and '.', not starting with '.'; other names throw ArgumentException. An object appears whole or not at all.
/// Every method may throw <see cref="TransportException"/>. Safe for several threads and processes.
/// </summary>
public interface IObjectStore
{
    /// <summary>Writes the whole object if the condition holds; its new tag, or null if the condition did not hold.</summary>
    ValueTask<string?> PutAsync(string name, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellationToken);

    /// <summary>Writes a large object from a stream, replacing what was there; memory stays bounded.</summary>
    ValueTask PutAsync(string name, Stream content, CancellationToken cancellationToken);

    /// <summary>The whole object with its tag; null if there is none.</summary>
    ValueTask<StoredObject?> GetAsync(string name, CancellationToken cancellationToken);

    /// <summary>The object as a stream from its start, to be disposed by the caller; null if there is none. An object replaced or deleted meanwhile
    /// is read to its end.</summary>
    ValueTask<Stream?> OpenAsync(string name, CancellationToken cancellationToken);

    /// <summary>The object's size and tag; null if there is none.</summary>
    /// <remarks>This and the two below go by the whole object unless a store does better, which those do that hold large ones.</remarks>
    async ValueTask<ObjectHead?> FindAsync(string name, CancellationToken cancellationToken) =>
        await GetAsync(name, cancellationToken) is { } stored ? new ObjectHead(stored.Content.Length, stored.Tag) : null;

    /// <summary>The whole object if it has another tag than <paramref name="knownTag"/>: asked again and again, it costs little while nothing
    /// changes.</summary>
    async ValueTask<ObjectChange> GetIfChangedAsync(string name, string knownTag, CancellationToken cancellationToken) =>
        await GetAsync(name, cancellationToken) is not { } stored ? new ObjectChange(true, null) : stored.Tag == knownTag ? default
        : new ObjectChange(true, stored);

    /// <summary>Reads from <paramref name="offset"/> as much as there is, up to the whole of <paramref name="into"/>.</summary>
    /// <returns>The bytes read, fewer than asked for only at the object's end; null if the object has another tag by now, or is gone.</returns>
    async ValueTask<int?> ReadAsync(string name, string tag, long offset, Memory<byte> into, CancellationToken cancellationToken)
    {
        if (await GetAsync(name, cancellationToken) is not { } stored || stored.Tag != tag) return null;
        var rest = stored.Content[(int)Math.Min(offset, stored.Content.Length)..];
        rest = rest[..Math.Min(rest.Length, into.Length)];
        rest.CopyTo(into);
        return rest.Length;
    }

    ValueTask<bool> ExistsAsync(string name, CancellationToken cancellationToken);

    /// <summary>Whether there was one.</summary>
    ValueTask<bool> DeleteAsync(string name, CancellationToken cancellationToken);

    /// <summary>Objects whose names begin with a prefix that ends with a slash, in ordinal order of their names, those below included.</summary>
    IAsyncEnumerable<ObjectEntry> ListAsync(string prefix, CancellationToken cancellationToken);
}

/// <summary>When an object is written.</summary>
public readonly record struct PutCondition
{
    private PutCondition(bool ifAbsent, string? ifTag) => (IfAbsent, IfTag) = (ifAbsent, ifTag);

    public static PutCondition Always => default;

    /// <summary>Only if there is none.</summary>
    public static PutCondition Absent => new(true, null);

    public bool IfAbsent { get; }

    public string? IfTag { get; }

    /// <summary>Only if what is there still has this tag.</summary>
    public static PutCondition Unchanged(string tag) => new(false, tag);
}

/// <param name="Tag">Changes with every write.</param>
public sealed record StoredObject(ReadOnlyMemory<byte> Content, string Tag);

/// <param name="Bytes">Its size.</param>
/// <param name="Tag">As <see cref="StoredObject"/> has it.</param>
public readonly record struct ObjectHead(long Bytes, string Tag);

/// <summary>What a look for changes found: the same as before, another content, or (a change without an object) nothing.</summary>
public readonly record struct ObjectChange(bool IsChange, StoredObject? Object);

/// <param name="Age">Since it was last written, by the store's clock.</param>
public sealed record ObjectEntry(string Name, long Bytes, TimeSpan Age);
