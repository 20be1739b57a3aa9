using R1Serverless.Queues;

namespace R1Serverless.Azure.ServiceBus;

/// <summary>A request whose message is locked.</summary>
internal sealed class ServiceBusLease(ClaimCheck bodies, LockedMessage locked, ClaimedBody body, QueuedRequest message, TimeSpan age)
    : Lease(message, BusMessage.Deliveries(locked.Message), age)
{
    public override async ValueTask<bool> RenewAsync(CancellationToken cancellationToken)
    {
        var held = await locked.RenewAsync(cancellationToken);
        if (held) locked.Entity.Hold(locked.Message);
        else locked.Entity.Release(locked.Message);
        return held;
    }

    public override async ValueTask<bool> CompleteAsync(CancellationToken cancellationToken)
    {
        var held = Ended(await locked.CompleteAsync(cancellationToken));
        if (held) await bodies.ReleaseAsync(body, cancellationToken);
        return held;
    }

    public override async ValueTask<bool> AbandonAsync(TimeSpan delay, CancellationToken cancellationToken) =>
        Ended(await locked.AbandonAsync(delay, cancellationToken));

    public override async ValueTask<bool> DeadLetterAsync(string reason, CancellationToken cancellationToken) =>
        Ended(await locked.DeadLetterAsync(reason, cancellationToken));

    private bool Ended(bool held)
    {
        locked.Entity.Release(locked.Message);
        return held;
    }
}
