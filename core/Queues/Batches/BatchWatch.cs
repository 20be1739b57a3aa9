namespace R1Serverless.Queues.Batches;

/// <summary>What a process makes of a batch that it does not drive.</summary>
internal enum BatchSight
{
    /// <summary>Somebody drives it, or nothing is to be done yet.</summary>
    Busy,

    /// <summary>Nobody drives it (any more).</summary>
    Free,

    /// <summary>It ended a while ago; what is left of it can go.</summary>
    Leftover,
}

/// <summary>What a process has seen of the batches of others, by its own clock alone: clocks of other processes don't matter. Safe for several
/// threads.</summary>
internal sealed class BatchWatch(BatchLimits limits, TimeProvider time)
{
    // A mark is written just before its job.
    private static readonly TimeSpan OrphanAge = TimeSpan.FromHours(1);
    private static readonly TimeSpan AfterFault = TimeSpan.FromSeconds(2);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Seen> _seen = new(StringComparer.Ordinal);

    /// <summary>Forgets all batches but these.</summary>
    public void Keep(IReadOnlyList<ActiveBatch> active)
    {
        HashSet<string> ids = [.. active.Select(batch => batch.Id)];
        lock (_gate)
        {
            foreach (var id in _seen.Keys.Where(id => !ids.Contains(id)).ToArray()) _seen.Remove(id);
        }
    }

    /// <summary>Whether it is time to look at a batch again.</summary>
    public bool IsDue(string id)
    {
        lock (_gate) return !_seen.TryGetValue(id, out var seen) || time.GetElapsedTime(seen.LookedAt) >= seen.Pause;
    }

    /// <summary>Leaves a batch alone for a moment: driving it just failed.</summary>
    public void Postpone(string id)
    {
        lock (_gate) _seen[id] = new Seen(null, false, time.GetTimestamp(), time.GetTimestamp(), AfterFault);
    }

    /// <param name="job">As it is now; null if there is only its mark.</param>
    /// <param name="me">This process.</param>
    public BatchSight See(ActiveBatch batch, BatchJob? job, string me)
    {
        if (job is null) return batch.Age > OrphanAge ? BatchSight.Leftover : BatchSight.Busy;
        if (!job.IsEnded && (job.Driver is null || job.Driver.Name == me)) return BatchSight.Free;
        lock (_gate)
        {
            var now = time.GetTimestamp();
            var isSame = _seen.TryGetValue(batch.Id, out var seen) && seen.IsEnded == job.IsEnded && (job.IsEnded || seen.Mark == job.Driver);
            var since = isSame ? seen.Since : now;
            var limit = job.IsEnded ? limits.Sweep : limits.Silence;
            _seen[batch.Id] = new Seen(job.Driver, job.IsEnded, since, now, limit / 5);
            return time.GetElapsedTime(since, now) < limit ? BatchSight.Busy : job.IsEnded ? BatchSight.Leftover : BatchSight.Free;
        }
    }

    /// <param name="Since">When <paramref name="Mark"/> was first seen as it is.</param>
    /// <param name="Pause">How long after <paramref name="LookedAt"/> to look again.</param>
    private readonly record struct Seen(DriverMark? Mark, bool IsEnded, long Since, long LookedAt, TimeSpan Pause);
}
