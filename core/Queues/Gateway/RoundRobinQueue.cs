namespace R1Serverless.Queues.Gateway;

/// <summary>A queue of waiting items for each key; keys take turns, and each key's own items keep their order. Not safe for several
/// threads.</summary>
internal sealed class RoundRobinQueue<T>
    where T : class
{
    private readonly LinkedList<string> _turns = new();
    private readonly Dictionary<string, LinkedList<T>> _queues = new(StringComparer.Ordinal);

    public int Count { get; private set; }

    public void Add(string key, T item)
    {
        if (!_queues.TryGetValue(key, out var queue))
        {
            _queues.Add(key, queue = new LinkedList<T>());
            _turns.AddLast(key);
        }

        queue.AddLast(item);
        Count++;
    }

    /// <summary>Takes the first item of the key whose turn it is; null if nothing waits.</summary>
    public T? Take()
    {
        if (_turns.First is not { } turn) return null;
        _turns.Remove(turn);
        var queue = _queues[turn.Value];
        var item = queue.First!.Value;
        queue.RemoveFirst();
        Count--;
        if (queue.Count > 0) _turns.AddLast(turn);
        else _queues.Remove(turn.Value);
        return item;
    }

    /// <summary>Whether the item still waited.</summary>
    public bool Remove(string key, T item)
    {
        if (!_queues.TryGetValue(key, out var queue) || !queue.Remove(item)) return false;
        Count--;
        if (queue.Count > 0) return true;
        _queues.Remove(key);
        _turns.Remove(key);
        return true;
    }

    /// <summary>How many items are taken, at most, before one that the key adds now.</summary>
    public int Ahead(string key)
    {
        var own = _queues.TryGetValue(key, out var queue) ? queue.Count : 0;
        return own + _queues.Where(one => one.Key != key).Sum(one => Math.Min(one.Value.Count, own + 1));
    }
}
