using R1Serverless.Abstractions.Threading;

namespace R1Serverless.Queues.Worker;

/// <summary>All leases that a worker holds or has asked for, and with them how many more it may ask for. Safe for several threads.</summary>
internal sealed class LeaseTable(Func<WorkerLoad> load, int most, TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly HashSet<HeldLease>[] _held = [[], []], _starting = [[], []];
    private readonly int[] _reserved = new int[2], _ending = new int[2];
    private long _pausedAt;
    private TimeSpan _pause;

    /// <summary>Set when a lease has ended or has been started: there may be room.</summary>
    public AsyncSignal Changes { get; } = new();

    public IReadOnlyList<HeldLease> Held
    {
        get
        {
            lock (_gate) return [.. _held[0], .. _held[1]];
        }
    }

    public bool IsEmpty
    {
        get
        {
            lock (_gate) return _held[0].Count + _held[1].Count == 0;
        }
    }

    /// <summary>Sets aside room for as many leases of a class as are wanted now, 0 if none; <see cref="Settle"/> gives it back.</summary>
    public int Reserve(WorkClass workClass)
    {
        var now = load();
        lock (_gate)
        {
            if (time.GetElapsedTime(_pausedAt) < _pause) return 0;
            var room = LeasePlan.Room(workClass, now, Count(workClass), Count(1 - workClass), most);
            _reserved[(int)workClass] += room;
            return room;
        }
    }

    /// <summary>Puts the leases that came in the place of the room set aside for them.</summary>
    public void Settle(WorkClass workClass, int room, IReadOnlyList<HeldLease> leases)
    {
        lock (_gate)
        {
            _reserved[(int)workClass] -= room;
            foreach (var held in leases)
            {
                _held[(int)workClass].Add(held);
                _starting[(int)workClass].Add(held);
            }
        }
    }

    /// <summary>The engine has taken the request: its load shows it from now on.</summary>
    public void Begun(HeldLease held)
    {
        lock (_gate)
        {
            if (!_starting[(int)held.Class].Remove(held)) return;
        }

        Changes.Set();
    }

    /// <summary>The engine is done with it: another may take its place, while its result is written.</summary>
    public void Ending(HeldLease held)
    {
        lock (_gate)
        {
            if (!held.IsEnding) _ending[(int)held.Class]++;
            held.IsEnding = true;
        }

        Changes.Set();
    }

    public void Remove(HeldLease held)
    {
        lock (_gate)
        {
            _starting[(int)held.Class].Remove(held);
            _held[(int)held.Class].Remove(held);
            if (held.IsEnding) _ending[(int)held.Class]--;
            held.IsEnding = false;
        }

        Changes.Set();
    }

    /// <summary>Asks for nothing for a while: the engine takes none.</summary>
    public void Pause(TimeSpan duration)
    {
        lock (_gate)
        {
            _pausedAt = time.GetTimestamp();
            _pause = duration;
        }
    }

    /// <summary>If results can't be written for a while, those that end pile up only so far.</summary>
    private LeaseCount Count(WorkClass workClass)
    {
        var ending = Math.Min(_ending[(int)workClass], most / LeasePlan.Share);
        return new(_held[(int)workClass].Count - ending, _starting[(int)workClass].Count, _reserved[(int)workClass]);
    }
}
