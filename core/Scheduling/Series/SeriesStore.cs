namespace R1Serverless.Scheduling.Series;

/// <summary>Whose series it is. Two owners' series of one key are two.</summary>
/// <param name="Model">The model's id.</param>
/// <param name="Owner">A fingerprint of the API key; empty where there is none.</param>
/// <param name="Key">As the client names it.</param>
public readonly record struct SeriesKey(string Model, string Owner, string Key);

/// <summary>What the series of one process may take. The least recently used leave first.</summary>
/// <param name="MaxSeries">At least 1.</param>
/// <param name="MaxBytes">Of all series together; one that is larger is kept alone.</param>
/// <param name="TimeToLive">A series that nobody has asked for so long is gone.</param>
public sealed record SeriesLimits(int MaxSeries, long MaxBytes, TimeSpan TimeToLive)
{
    public static SeriesLimits Default { get; } = new(100_000, 256L << 20, TimeSpan.FromHours(1));
}

/// <summary>What is kept of each series, within bounds. Pure: no clock of its own, not safe for several threads.</summary>
/// <param name="ticks">The time to live, in the caller's timestamps.</param>
public sealed class SeriesStore<T>(SeriesLimits limits, long ticks)
    where T : class
{
    private readonly Dictionary<SeriesKey, LinkedListNode<Kept>> _kept = [];

    /// <summary>The least recently used first.</summary>
    private readonly LinkedList<Kept> _uses = new();

    public int Count => _kept.Count;

    /// <summary>Of all that is kept.</summary>
    public long Bytes { get; private set; }

    /// <summary>What is kept of a series, which is used by that; null where nothing is any more.</summary>
    /// <param name="now">A timestamp of the caller's clock, no earlier than those before.</param>
    public T? Find(SeriesKey key, long now)
    {
        RemoveExpired(now);
        if (!_kept.TryGetValue(key, out var node)) return null;
        node.ValueRef.Used = now;
        _uses.Remove(node);
        _uses.AddLast(node);
        return node.Value.Value;
    }

    /// <summary>Keeps this of a series from now on, in place of what was kept; others leave for it.</summary>
    public void Put(SeriesKey key, T value, long bytes, long now)
    {
        Remove(key);
        RemoveExpired(now);
        while (_uses.First is { } oldest && (_kept.Count >= limits.MaxSeries || Bytes + bytes > limits.MaxBytes)) Remove(oldest.Value.Key);
        _kept.Add(key, _uses.AddLast(new Kept(key, value, bytes) { Used = now }));
        Bytes += bytes;
    }

    /// <summary>Forgets a series; false where it was not there.</summary>
    public bool Remove(SeriesKey key)
    {
        if (!_kept.Remove(key, out var node)) return false;
        _uses.Remove(node);
        Bytes -= node.Value.Bytes;
        return true;
    }

    private void RemoveExpired(long now)
    {
        while (_uses.First is { } oldest && now - oldest.Value.Used >= ticks) Remove(oldest.Value.Key);
    }

    private record struct Kept(SeriesKey Key, T Value, long Bytes)
    {
        public long Used { get; set; }
    }
}
