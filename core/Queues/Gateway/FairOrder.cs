namespace R1Serverless.Queues;

/// <summary>Lines of waiting items, one for each key; keys take turns, and each key's own items keep their order. Not safe for several threads.</summary>
internal sealed class FairOrder<T>
    where T : class
{
    private readonly LinkedList<string> _turns = new();
    private readonly Dictionary<string, LinkedList<T>> _lines = new(StringComparer.Ordinal);

    public int Count { get; private set; }

    public void Add(string key, T item)
    {
        if (!_lines.TryGetValue(key, out LinkedList<T>? line))
        {
            _lines.Add(key, line = new LinkedList<T>());
            _turns.AddLast(key);
        }

        line.AddLast(item);
        Count++;
    }

    /// <summary>Takes the first item of the key whose turn it is; null if nothing waits.</summary>
    public T? Take()
    {
        if (_turns.First is not { } turn) return null;
        _turns.Remove(turn);
        LinkedList<T> line = _lines[turn.Value];
        T item = line.First!.Value;
        line.RemoveFirst();
        Count--;
        if (line.Count > 0) _turns.AddLast(turn);
        else _lines.Remove(turn.Value);
        return item;
    }

    /// <summary>Whether the item still waited.</summary>
    public bool Remove(string key, T item)
    {
        if (!_lines.TryGetValue(key, out LinkedList<T>? line) || !line.Remove(item)) return false;
        Count--;
        if (line.Count > 0) return true;
        _lines.Remove(key);
        _turns.Remove(key);
        return true;
    }

    /// <summary>How many items are taken, at most, before one that the key adds now.</summary>
    public int Ahead(string key)
    {
        int own = _lines.TryGetValue(key, out LinkedList<T>? line) ? line.Count : 0;
        return own + _lines.Where(one => one.Key != key).Sum(one => Math.Min(one.Value.Count, own + 1));
    }
}
