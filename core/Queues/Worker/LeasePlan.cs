namespace R1Serverless.Queues.Worker;

/// <summary>How many more requests a worker leases of each class. It keeps a short line in front of the engine, so that no slot stays empty between a
/// request's end and the next lease, and no shorter work elsewhere waits for a long line here. Bulk work may fill only a part of that line: an
/// interactive request finds few before it, however long the backlog. Whatever the line, each class may hold a share of what runs, so that neither
/// starves.</summary>
internal static class LeasePlan
{
    /// <summary>Each class may hold at least one of so many running sequences, and at least one.</summary>
    public const int Share = 8;

    /// <summary>How long the line in front of the engine may be for a class to lease more: it grows with what runs, because as many end at each step.
    /// An engine that takes all that comes may have room for more than is known: the line may double what runs then, until it has not.</summary>
    public static int Prefetch(WorkClass workClass, WorkerLoad load) => 0 switch
    {
        _ when !load.IsFull => 8 + load.Running,
        _ when workClass == WorkClass.Interactive => 8 + (load.Running / 4),
        _ => 4 + (load.Running / 16),
    };

    /// <param name="own">What the worker holds of the class.</param>
    /// <param name="other">What it holds of the other class.</param>
    /// <param name="most">Leases that the worker may hold of both together.</param>
    public static int Room(WorkClass workClass, WorkerLoad load, LeaseCount own, LeaseCount other, int most)
    {
        var share = Math.Max(1, load.Running / Share);
        var line = load.Waiting + own.Starting + other.Starting;
        var wanted = Math.Max(Prefetch(workClass, load) - line, share - own.Held) - own.Reserved;
        var left = most - own.All - Math.Max(other.All, Math.Min(share, most / Share + 1));
        return Math.Max(0, Math.Min(wanted, left));
    }
}

/// <param name="Held">Leases held.</param>
/// <param name="Starting">Those of them that the engine has not taken yet, which its load does not show.</param>
/// <param name="Reserved">Leases asked for and not come yet.</param>
internal readonly record struct LeaseCount(int Held, int Starting, int Reserved)
{
    public int All => Held + Reserved;
}
