using System.Globalization;
using System.Runtime.CompilerServices;
using R1Serverless.Queues;

namespace R1Serverless.Tests.Queues;

/// <summary>An object store in memory, on a clock of its own.</summary>
internal sealed class HeldObjects(TimeProvider time) : IObjectStore
{
    private readonly SortedDictionary<string, (byte[] Content, long Tag, long Written)> _objects = new(StringComparer.Ordinal);
    private long _tags;

    /// <summary>Thrown by every call while set.</summary>
    public TransportException? Fault { get; set; }

    /// <summary>How often names were listed.</summary>
    public int Listed { get; private set; }

    public ValueTask<string?> PutAsync(string name, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellationToken)
    {
        ThrowFault();
        string? there = _objects.TryGetValue(name, out var old) ? Tag(old.Tag) : null;
        if ((condition.IfAbsent && there is not null) || (condition.IfTag is { } tag && tag != there)) return ValueTask.FromResult<string?>(null);
        _objects[name] = (content.ToArray(), ++_tags, time.GetTimestamp());
        return ValueTask.FromResult<string?>(Tag(_tags));
    }

    public async ValueTask PutAsync(string name, Stream content, CancellationToken cancellationToken)
    {
        using MemoryStream copy = new();
        await content.CopyToAsync(copy, cancellationToken);
        await PutAsync(name, copy.ToArray(), PutCondition.Always, cancellationToken);
    }

    public ValueTask<StoredObject?> GetAsync(string name, CancellationToken cancellationToken)
    {
        ThrowFault();
        return ValueTask.FromResult(_objects.TryGetValue(name, out var found) ? new StoredObject(found.Content, Tag(found.Tag)) : null);
    }

    public ValueTask<Stream?> OpenAsync(string name, CancellationToken cancellationToken)
    {
        ThrowFault();
        return ValueTask.FromResult<Stream?>(_objects.TryGetValue(name, out var found) ? new MemoryStream(found.Content) : null);
    }

    public ValueTask<bool> ExistsAsync(string name, CancellationToken cancellationToken)
    {
        ThrowFault();
        return ValueTask.FromResult(_objects.ContainsKey(name));
    }

    public ValueTask<bool> DeleteAsync(string name, CancellationToken cancellationToken)
    {
        ThrowFault();
        return ValueTask.FromResult(_objects.Remove(name));
    }

    public async IAsyncEnumerable<ObjectEntry> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ThrowFault();
        Listed++;
        await Task.Yield();
        foreach (var (name, found) in _objects.Where(one => one.Key.StartsWith(prefix, StringComparison.Ordinal)).ToArray())
        {
            yield return new ObjectEntry(name, found.Content.Length, time.GetElapsedTime(found.Written));
        }
    }

    private static string Tag(long tag) => tag.ToString(CultureInfo.InvariantCulture);

    private void ThrowFault()
    {
        if (Fault is { } fault) throw fault;
    }
}
