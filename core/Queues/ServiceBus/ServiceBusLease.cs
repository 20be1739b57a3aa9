using Amqp;

namespace R1Serverless.Queues.ServiceBus;

/// <summary>A locked message. Its lock does not depend on the connection it came over: it is renewed and settled through the queue's management node, which answers.</summary>
internal sealed class ServiceBusLease(ServiceBusQueue queue, QueueEntity entity, LockedMessage locked, ClaimedBody body, QueuedRequest message, TimeSpan age)
    : Lease(message, WireMessage.Deliveries(locked.Message) + 1, age)
{
    public override async ValueTask<bool> RenewAsync(CancellationToken cancellationToken)
    {
        bool held = await entity.Management.RenewAsync(locked.LockToken, cancellationToken);
        if (held) entity.Held.Hold(locked);
        else End((link, delivery) => link.Release(delivery));
        return held;
    }

    public override async ValueTask<bool> CompleteAsync(CancellationToken cancellationToken)
    {
        bool held = await entity.Management.CompleteAsync(locked.LockToken, cancellationToken);
        End((link, delivery) => link.Accept(delivery));
        if (held) await queue.ReleaseAsync(body, cancellationToken);
        return held;
    }

    /// <summary>A delay is a scheduled copy, since the service gives a message back only at once: should this process end between copy and completion, the request is delivered twice.</summary>
    public override async ValueTask<bool> AbandonAsync(TimeSpan delay, CancellationToken cancellationToken)
    {
        bool held;
        if (delay <= TimeSpan.Zero)
        {
            held = await entity.Management.AbandonAsync(locked.LockToken, cancellationToken);
        }
        else
        {
            // Renewed first: no copy of what runs elsewhere already, and time enough to send it.
            held = await entity.Management.RenewAsync(locked.LockToken, cancellationToken);
            if (held)
            {
                DateTime due = await queue.NowAsync(cancellationToken) + delay;
                await entity.Sender.SendAsync([WireMessage.Again(locked.Message, due)], cancellationToken);
                held = await entity.Management.CompleteAsync(locked.LockToken, cancellationToken);
            }
        }

        End((link, delivery) => link.Modify(delivery, deliveryFailed: true));
        return held;
    }

    public override async ValueTask<bool> DeadLetterAsync(string reason, CancellationToken cancellationToken)
    {
        bool held = await ServiceBusQueue.PutAsideAsync(entity, locked, reason, cancellationToken);
        End((link, delivery) => link.Reject(delivery));
        return held;
    }

    private void End(Action<ReceiverLink, Message> outcome)
    {
        entity.Held.Release(locked);
        locked.Forget(outcome);
    }
}
