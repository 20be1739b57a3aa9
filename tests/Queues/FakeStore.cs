using System.Runtime.CompilerServices;
using R1Serverless.Queues;

namespace R1Serverless.Tests.Queues;

/// <summary>Objects in memory. Names are checked as every store does.</summary>
internal sealed class FakeStore(FakeBroker broker, TimeProvider time) : IObjectStore
{
    private readonly SortedDictionary<string, (byte[] Content, long At, int Version)> _objects = new(StringComparer.Ordinal);
    private int _version;

    public IEnumerable<string> Names => _objects.Keys;

    /// <summary>How often something was listed.</summary>
    public int Listings { get; private set; }

    /// <summary>How often an object was read or looked for.</summary>
    public int Looks { get; private set; }

    public ValueTask<string?> PutAsync(string name, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellationToken)
    {
        Enter(name);
        bool exists = _objects.TryGetValue(name, out var old);
        if ((condition.IfAbsent && exists) || (condition.IfTag is { } tag && (!exists || old.Version.ToString() != tag))) return ValueTask.FromResult<string?>(null);
        _objects[name] = (content.ToArray(), time.GetTimestamp(), ++_version);
        return ValueTask.FromResult<string?>(_version.ToString());
    }

    public async ValueTask PutAsync(string name, Stream content, CancellationToken cancellationToken)
    {
        using MemoryStream copy = new();
        await content.CopyToAsync(copy, cancellationToken);
        await PutAsync(name, copy.ToArray(), PutCondition.Always, cancellationToken);
    }

    /// <summary>How long reading an object takes.</summary>
    public TimeSpan ReadTime { get; set; }

    public async ValueTask<StoredObject?> GetAsync(string name, CancellationToken cancellationToken)
    {
        Enter(name);
        Looks++;
        if (ReadTime > TimeSpan.Zero) await Task.Delay(ReadTime, time, cancellationToken);
        return _objects.TryGetValue(name, out var found) ? new StoredObject(found.Content, found.Version.ToString()) : null;
    }

    public async ValueTask<Stream?> OpenAsync(string name, CancellationToken cancellationToken) =>
        await GetAsync(name, cancellationToken) is { } found ? new MemoryStream(found.Content.ToArray(), writable: false) : null;

    public ValueTask<bool> ExistsAsync(string name, CancellationToken cancellationToken)
    {
        Enter(name);
        Looks++;
        return ValueTask.FromResult(_objects.ContainsKey(name));
    }

    public ValueTask<bool> DeleteAsync(string name, CancellationToken cancellationToken)
    {
        Enter(name);
        return ValueTask.FromResult(_objects.Remove(name));
    }

    public async IAsyncEnumerable<ObjectEntry> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        broker.Check();
        Listings++;
        await Task.CompletedTask;
        foreach (var (name, found) in _objects.ToArray())
        {
            if (name.StartsWith(prefix, StringComparison.Ordinal)) yield return new ObjectEntry(name, found.Content.Length, time.GetElapsedTime(found.At));
        }
    }

    private void Enter(string name)
    {
        broker.Check();
        ObjectName.Check(name);
    }
}
