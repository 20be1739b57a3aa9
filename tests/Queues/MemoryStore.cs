using System.Runtime.CompilerServices;
using R1Serverless.Storage;

namespace R1Serverless.Tests.Queues;

/// <summary>Objects in memory, with ages by the test's clock. Names are checked as every store does.</summary>
/// <param name="enter">Called before each access: throws while the store can't be reached. Null for one that always can.</param>
internal sealed class MemoryStore(TimeProvider time, Action? enter = null) : IObjectStore
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, (byte[] Content, string Tag, long Written)> _objects = new(StringComparer.Ordinal);
    private long _writes;

    /// <summary>Called before each write with the object's name: throws, or changes something, as if another process had been faster.</summary>
    public Action<string>? BeforePut { get; set; }

    /// <summary>How long reading an object takes.</summary>
    public TimeSpan ReadTime { get; set; }

    /// <summary>How often something was listed.</summary>
    public int Listings { get; private set; }

    /// <summary>How often an object was read or looked for.</summary>
    public int Looks { get; private set; }

    /// <summary>Awaited before each listing, with its prefix.</summary>
    public Func<string, Task> BeforeList { get; set; } = static _ => Task.CompletedTask;

    /// <summary>The names of objects that were read, looked for or listed.</summary>
    public HashSet<string> Seen { get; } = new(StringComparer.Ordinal);

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
        Enter(name);
        BeforePut?.Invoke(name);
        lock (_gate)
        {
            var isThere = _objects.TryGetValue(name, out var old);
            if ((condition.IfAbsent && isThere) || (condition.IfTag is { } tag && (!isThere || old.Tag != tag))) return new((string?)null);
            var written = $"{++_writes}";
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

    public async ValueTask<StoredObject?> GetAsync(string name, CancellationToken cancellationToken)
    {
        Enter(name);
        if (ReadTime > TimeSpan.Zero) await Task.Delay(ReadTime, time, cancellationToken);
        lock (_gate)
        {
            Looks++;
            Seen.Add(name);
            return _objects.TryGetValue(name, out var found) ? new StoredObject(found.Content, found.Tag) : null;
        }
    }

    public async ValueTask<Stream?> OpenAsync(string name, CancellationToken cancellationToken) =>
        await GetAsync(name, cancellationToken) is { } found ? new MemoryStream(found.Content.ToArray(), writable: false) : null;

    public ValueTask<bool> ExistsAsync(string name, CancellationToken cancellationToken)
    {
        Enter(name);
        lock (_gate)
        {
            Looks++;
            Seen.Add(name);
            return new(_objects.ContainsKey(name));
        }
    }

    public ValueTask<bool> DeleteAsync(string name, CancellationToken cancellationToken)
    {
        Enter(name);
        lock (_gate) return new(_objects.Remove(name));
    }

    public async IAsyncEnumerable<ObjectEntry> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        enter?.Invoke();
        await BeforeList(prefix);
        ObjectEntry[] found;
        lock (_gate)
        {
            Listings++;
            found = [.. _objects.Where(one => one.Key.StartsWith(prefix, StringComparison.Ordinal))
                .Select(one => new ObjectEntry(one.Key, one.Value.Content.Length, time.GetElapsedTime(one.Value.Written)))];
        }

        foreach (var entry in found)
        {
            lock (_gate) Seen.Add(entry.Name);
            yield return entry;
        }
    }

    private void Enter(string name)
    {
        enter?.Invoke();
        ObjectName.Check(name);
    }
}
