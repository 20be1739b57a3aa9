namespace R1Serverless.Engine.Steps;

/// <summary>
/// Clients whose answers ended in one step often ask again at once, one a few microseconds after the other. Taken as they come, they would be
/// prefilled in several runs and stay out of step for their whole answers; so newcomers wait for the rest of such a crowd, a moment at most. Used by
/// the engine's thread only.
/// </summary>
internal sealed class AdmissionCoalescer(TimeProvider time)
{
    /// <summary>Far below the interval at which tokens are delivered.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(3);

    /// <summary>Fewer are not worth a wait.</summary>
    private const int Least = 4;

    /// <summary>Nor are those that are not many times the rows that still run.</summary>
    private const int Factor = 3;

    private long _since;

    /// <summary>Sequences that ended together and may come back; 0 where none are waited for.</summary>
    public int Expected { get; private set; }

    /// <summary>A turn of the engine ended so many sequences and left so many running.</summary>
    public void OnTurn(int ended, int running)
    {
        if (ended >= Least && ended >= Factor * running) (Expected, _since) = (ended, time.GetTimestamp());
    }

    /// <summary>For how long so many newcomers should wait for others; zero once all are there, or time is up.</summary>
    public TimeSpan Wait(int newcomers)
    {
        if (Expected == 0) return TimeSpan.Zero;
        var left = Patience - time.GetElapsedTime(_since);
        if (newcomers < Expected && left > TimeSpan.Zero) return left;
        Forget();
        return TimeSpan.Zero;
    }

    public void Forget() => Expected = 0;
}
