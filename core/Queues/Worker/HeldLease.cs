using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Threading;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Worker;

/// <summary>A lease that this worker holds, and why what runs under it has to stop. Renewal and ending never overlap. Safe for several
/// threads.</summary>
internal sealed class HeldLease : IDisposable
{
    private readonly Lease _lease;
    private readonly TimeSpan _leaseTime;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly CancellationTokenSource _stopping = new();
    private readonly CancellationTokenSource _lost = new();
    private readonly TimeLimit _deadline;
    private readonly long _leasedAt;
    private long _renewed;
    private int _reason;
    private bool _ended;

    public HeldLease(Lease lease, TimeSpan leaseTime, TimeProvider time)
    {
        (_lease, _leaseTime, _time) = (lease, leaseTime, time);
        _renewed = _leasedAt = lease.Since ?? time.GetTimestamp();
        // What took so long that it may run elsewhere by now must not begin here.
        LoseIfOver();
        _deadline = new Deadline(lease.Message.Request.Deadline, time, -lease.Age).Limit(CancellationToken.None);
        _deadline.Token.UnsafeRegister(static held => ((HeldLease)held!).Stop(StopReason.Expired), this);
    }

    public QueuedRequest Message => _lease.Message;

    public RequestId Id => Message.Request.Id;

    public WorkClass Class => Message.Class;

    public int Delivery => _lease.DequeueCount;

    public TimeSpan AgeWhenLeased => _lease.Age;

    /// <summary>How long it has been held.</summary>
    public TimeSpan SinceLeased => _time.GetElapsedTime(_leasedAt);

    public bool? HasResult => _lease.HasResult;

    /// <summary>Why the run has to stop; the first reason stays.</summary>
    public StopReason Reason => (StopReason)Volatile.Read(ref _reason);

    /// <summary>Cancelled when the run has to stop, for whichever <see cref="Reason"/>.</summary>
    public CancellationToken Stopping => _stopping.Token;

    /// <summary>Cancelled when the lease is no longer ours: nothing more may be published.</summary>
    public CancellationToken Lost => _lost.Token;

    public bool IsLost => _lost.IsCancellationRequested;

    /// <summary>Whether the engine is done with it. Written by the lease table.</summary>
    public bool IsEnding { get; set; }

    /// <summary>Since the queue last said that the lease is ours.</summary>
    public TimeSpan SinceRenewal => _time.GetElapsedTime(Volatile.Read(ref _renewed));

    public void Stop(StopReason reason)
    {
        if (Interlocked.CompareExchange(ref _reason, (int)reason, (int)StopReason.None) == (int)StopReason.None) _stopping.Cancel();
    }

    public void Lose()
    {
        _lost.Cancel();
        Stop(StopReason.LeaseLost);
    }

    /// <summary>Renews the lease unless it has ended; loses it if the queue says so.</summary>
    /// <exception cref="TransportException">The queue can't be reached; the lease may still be ours.</exception>
    public async ValueTask RenewAsync(CancellationToken cancellationToken)
    {
        using var turn = await _turn.EnterAsync(cancellationToken);
        if (_ended || IsLost) return;
        var before = _time.GetTimestamp();
        if (await _lease.RenewAsync(cancellationToken)) Volatile.Write(ref _renewed, before);
        else Lose();
    }

    /// <summary>Loses the lease if it has not been renewed for as long as it lasts, since then it may run elsewhere.</summary>
    public void LoseIfOver()
    {
        if (!Volatile.Read(ref _ended) && SinceRenewal >= _leaseTime) Lose();
    }

    /// <summary>Completes, abandons or dead-letters; false if the lease was lost.</summary>
    /// <exception cref="TransportException">The queue can't be reached; it may be asked again.</exception>
    public async ValueTask<bool> EndAsync(Func<Lease, CancellationToken, ValueTask<bool>> ending, CancellationToken cancellationToken)
    {
        using var turn = await _turn.EnterAsync(cancellationToken);
        var ours = await ending(_lease, cancellationToken);
        Volatile.Write(ref _ended, true);
        return ours;
    }

    /// <summary>Writes the result and completes; null, and the lease goes on, where that can't be done in one.</summary>
    /// <exception cref="TransportException">The queue can't be reached; it may be asked again.</exception>
    public async ValueTask<Completion?> CompleteAsync(InferenceResult result, CancellationToken cancellationToken)
    {
        using var turn = await _turn.EnterAsync(cancellationToken);
        var completion = await _lease.CompleteAsync(result, cancellationToken);
        if (completion is not null) Volatile.Write(ref _ended, true);
        return completion;
    }

    public void Dispose() => _deadline.Dispose();
}
