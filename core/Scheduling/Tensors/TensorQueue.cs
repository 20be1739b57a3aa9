namespace R1Serverless.Scheduling.Tensors;

/// <summary>
/// Requests to a graph that is no decoder, and which of them share the next run: those of one shape, the oldest of the highest priority first, never
/// padded. Pure: no clock of its own, not safe for several threads.
/// </summary>
/// <param name="lanes">Runs that go on at the same time.</param>
public sealed class TensorQueue<T>(TensorRunLimits limits, int lanes)
{
    private readonly Dictionary<string, LinkedList<WaitingTensors<T>>> _shapes = new(StringComparer.Ordinal);
    private long _numbers;

    /// <summary>Requests that wait.</summary>
    public int Count { get; private set; }

    /// <summary>Takes a request in. Those of one shape stay in the order of their priority, and within it of their arrival.</summary>
    /// <param name="shape">Equal for requests that may share a run; null for one that runs alone.</param>
    /// <param name="rows">Along the batch axis, at least 1.</param>
    /// <param name="bytes">Of all its inputs.</param>
    /// <param name="arrived">A timestamp of the caller's clock, no earlier than of those before.</param>
    /// <returns>For <see cref="Remove"/>.</returns>
    public WaitingTensors<T> Add(T request, string? shape, int rows, long bytes, int priority, long arrived)
    {
        var number = _numbers++;
        var waiting = new WaitingTensors<T>(request, shape ?? $"alone {number}", shape is null, rows, bytes, priority, arrived, number);
        if (!_shapes.TryGetValue(waiting.Shape, out var line)) _shapes.Add(waiting.Shape, line = new LinkedList<WaitingTensors<T>>());
        var before = line.Last;
        while (before is not null && before.Value.Priority < priority) before = before.Previous;
        waiting.Place = before is null ? line.AddFirst(waiting) : line.AddAfter(before, waiting);
        Count++;
        return waiting;
    }

    /// <summary>A request that nobody wants any more; false if it is in a run or has left already.</summary>
    public bool Remove(WaitingTensors<T> waiting)
    {
        if (waiting.Place is not { } place) return false;
        var line = place.List!;
        line.Remove(place);
        waiting.Place = null;
        if (line.Count == 0) _shapes.Remove(waiting.Shape);
        Count--;
        return true;
    }

    /// <summary>The requests of the next run, which leave; empty where none is due yet.</summary>
    /// <param name="now">A timestamp of the same clock.</param>
    /// <param name="due">When to ask again, in timestamps; null where nothing waits.</param>
    public IReadOnlyList<WaitingTensors<T>> Next(long now, out long? due)
    {
        due = null;
        foreach (var first in _shapes.Values.Select(line => line.First!.Value).OrderByDescending(one => one.Priority).ThenBy(one => one.Number))
        {
            var run = Together(first);
            var ready = first.Arrived + limits.MaxQueueDelay;
            if (run.IsFull || first.IsAlone || ready <= now)
            {
                foreach (var waiting in run.Requests) Remove(waiting);
                return run.Requests;
            }

            due = due is { } earlier ? Math.Min(earlier, ready) : ready;
        }

        return [];
    }

    /// <summary>Those behind the first that fit into its run. Where several lanes are there, a run leaves them their share of what waits, as long as
    /// it is worth a run of its own.</summary>
    private (List<WaitingTensors<T>> Requests, bool IsFull) Together(WaitingTensors<T> first)
    {
        List<WaitingTensors<T>> requests = [first];
        var (rows, bytes) = (first.Rows, first.Bytes);
        var most = Math.Min(limits.MaxRows, Math.Max(limits.WorthwhileRows, (first.Place!.List!.Sum(one => one.Rows) + lanes - 1) / lanes));
        for (var next = first.Place!.Next; next is not null; next = next.Next)
        {
            if (rows + next.Value.Rows > most || bytes + next.Value.Bytes > limits.MaxBytes) return (requests, true);
            requests.Add(next.Value);
            (rows, bytes) = (rows + next.Value.Rows, bytes + next.Value.Bytes);
        }

        return (requests, rows >= most);
    }
}

/// <summary>A request that waits, and where.</summary>
/// <param name="Request">The caller's.</param>
/// <param name="Shape">Equal for those that may share a run.</param>
/// <param name="IsAlone">Whether none may.</param>
/// <param name="Number">In the order of arrival.</param>
public sealed record WaitingTensors<T>(T Request, string Shape, bool IsAlone, int Rows, long Bytes, int Priority, long Arrived, long Number)
{
    /// <summary>Null when it waits no more.</summary>
    internal LinkedListNode<WaitingTensors<T>>? Place { get; set; }
}

/// <summary>What one run may take. A lone request may have more.</summary>
/// <param name="MaxRows">Along the batch axis.</param>
/// <param name="MaxBytes">Of all inputs together.</param>
/// <param name="WorthwhileRows">Rows at which a run is about as efficient as a larger one: fewer are not left for another lane.</param>
/// <param name="MaxQueueDelay">How long a request may wait for others to share its run, in timestamps; 0 runs whatever is there.</param>
/// <param name="MaxOutputBytes">Of one request's outputs together: a graph may make much of little. Known only when it has run.</param>
public sealed record TensorRunLimits(
    int MaxRows = 64, long MaxBytes = 256L << 20, int WorthwhileRows = 4, long MaxQueueDelay = 0, long MaxOutputBytes = 128L << 20);
