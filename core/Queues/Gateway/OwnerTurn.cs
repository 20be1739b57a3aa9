using R1Serverless.Requests;

namespace R1Serverless.Queues;

/// <summary>One owner's requests that this process has put into the queue, and where more of them are parked. For whoever holds the lock of all owners.</summary>
/// <param name="places">How many may be in the queue at once.</param>
internal sealed class OwnerTurn(int places, TimeProvider time)
{
    // One without a result for so long takes very long, or is lost to us: others need not wait for it.
    private static readonly TimeSpan LongestHeld = TimeSpan.FromMinutes(10);

    private readonly Queue<QueuedTurn> _queued = new();
    private int _writing;

    /// <summary>Requests on this process's own shelf, once they are written.</summary>
    public int Parked { get; private set; }

    /// <summary>Shelves of processes that have gone.</summary>
    public List<Shelf> Adopted { get; } = [];

    public bool HasOwn => _writing + Parked > 0;

    public bool HasParked => HasOwn || Adopted.Count > 0;

    /// <summary>How many more may go into the queue.</summary>
    public int Room => Math.Max(0, places - _queued.Count);

    /// <summary>Whether a newcomer may go straight into the queue; counts it, one way or the other.</summary>
    public bool Enter(RequestId id)
    {
        bool isDirect = !HasParked && Room > 0;
        if (isDirect) Queue(id);
        else _writing++;
        return isDirect;
    }

    /// <summary>It is on the shelf now, or may be.</summary>
    public void Park()
    {
        _writing--;
        Parked++;
    }

    /// <summary>So many left the shelf.</summary>
    public void Unpark(int count) => Parked = Math.Max(0, Parked - count);

    public void Queue(RequestId id) => _queued.Enqueue(new QueuedTurn(id, time.GetTimestamp()));

    /// <summary>It could not be enqueued after all.</summary>
    public void Drop(RequestId id)
    {
        for (int i = _queued.Count; i > 0; i--)
        {
            if (_queued.Dequeue() is var one && one.Id != id) _queued.Enqueue(one);
        }
    }

    /// <summary>Those whose ends have not been looked for longest.</summary>
    public IReadOnlyList<QueuedTurn> Oldest(int most) => [.. _queued.Take(most)];

    /// <summary>What was found of the oldest, in their order; those that go on are looked at last the next time.</summary>
    public void Look(IReadOnlyList<bool> ended)
    {
        foreach (bool hasEnded in ended)
        {
            if (!_queued.TryDequeue(out QueuedTurn one)) return;
            if (!hasEnded && time.GetElapsedTime(one.Since) < LongestHeld) _queued.Enqueue(one);
        }
    }
}

/// <param name="Since">When it went into the queue, a timestamp.</param>
internal readonly record struct QueuedTurn(RequestId Id, long Since);
