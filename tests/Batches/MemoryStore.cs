using R1Serverless.Queues;

namespace R1Serverless.Tests.Batches;

/// <summary>Objects in memory, with ages by the test's clock.</summary>
internal sealed class MemoryStore(TimeProvider time) : IObjectStore
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, (byte[] Content, string Tag, long Written)> _objects = new(StringComparer.Ordinal);
    private long _writes;

    /// <summary>Called before each write with the object's name: throws, or changes something, as if another process had been faster.</summary>
    public Action<string>? BeforePut { get; set; }

    /// <summary>All names at the moment.</summary>
    public IReadOnlyList<string> Names
    {
        get
        {
            lock (_gate) return [.. _objects.Keys];
        }
    }

    public ValueTask<string?> PutAsync(string name, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellationToken)
    {
        BeforePut?.Invoke(name);
        lock (_gate)
        {
            bool isThere = _objects.TryGetValue(name, out var old);
            if ((condition.IfAbsent && isThere) || (condition.IfTag is { } tag && (!isThere || old.Tag != tag))) return new((string?)null);
            string written = $"{++_writes}";
            _objects[name] = (content.ToArray(), written, time.GetTimestamp());
            return new(written);
        }
    }

    public async ValueTask PutAsync(string name, Stream content, CancellationToken cancellationToken)
    {
        using MemoryStream copy = new();
        await content.CopyToAsync(copy, cancellationToken);
        await PutAsync(name, copy.ToArray(), PutCondition.Always, cancellationToken);
    }

    public ValueTask<StoredObject?> GetAsync(string name, CancellationToken cancellationToken)
    {
        lock (_gate) return new(_objects.TryGetValue(name, out var found) ? new StoredObject(found.Content, found.Tag) : null);
    }

    public ValueTask<Stream?> OpenAsync(string name, CancellationToken cancellationToken)
    {
        lock (_gate) return new(_objects.TryGetValue(name, out var found) ? new MemoryStream(found.Content, writable: false) : null);
    }

    public ValueTask<bool> ExistsAsync(string name, CancellationToken cancellationToken)
    {
        lock (_gate) return new(_objects.ContainsKey(name));
    }

    public ValueTask<bool> DeleteAsync(string name, CancellationToken cancellationToken)
    {
        lock (_gate) return new(_objects.Remove(name));
    }

    public async IAsyncEnumerable<ObjectEntry> ListAsync(string prefix, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ObjectEntry[] found;
        lock (_gate)
        {
            found = [.. _objects.Where(one => one.Key.StartsWith(prefix, StringComparison.Ordinal))
                .Select(one => new ObjectEntry(one.Key, one.Value.Content.Length, time.GetElapsedTime(one.Value.Written)))];
        }

        await Task.CompletedTask;
        foreach (ObjectEntry entry in found) yield return entry;
    }
}
