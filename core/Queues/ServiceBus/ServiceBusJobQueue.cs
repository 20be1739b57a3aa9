using Amqp;

namespace R1Serverless.Queues.ServiceBus;

/// <summary>Jobs as messages of a queue of the service, in peek-lock mode; those put aside go to its dead letters, with the reason.</summary>
internal sealed class ServiceBusJobQueue(QueueEntity entity, BrokerClock clock) : IJobQueue
{
    public async ValueTask EnqueueAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken) => await entity.Sender.SendAsync([WireMessage.Of(message)], cancellationToken);

    public async ValueTask<JobLease?> LeaseAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        if (await entity.Receiver.ReceiveAsync(1, patience, cancellationToken) is not [var locked]) return null;
        clock.Observe(WireMessage.LockEnd(locked.Message) ?? DateTime.MinValue);
        return new Lease(entity, clock, locked);
    }

    /// <summary>By its lock, which need not have been taken over this connection.</summary>
    public async ValueTask<bool> PutAsideAsync(string id, ReadOnlyMemory<byte> message, string reason, string? receipt, CancellationToken cancellationToken) =>
        Guid.TryParse(receipt, out Guid lockToken) && await ServiceBusQueue.PutAsideAsync(entity, lockToken, deliveries: null, reason, cancellationToken);

    /// <summary>The producer's, or else its place in the queue.</summary>
    private static string IdOf(Message message) =>
        message.ApplicationProperties?[IJobQueue.FirstIdProperty] as string ?? (message.Properties?.GetMessageId() ?? WireMessage.SequenceOf(message)).ToString()!;

    private sealed class Lease(QueueEntity entity, BrokerClock clock, LockedMessage locked)
        : JobLease(IdOf(locked.Message), WireMessage.Body(locked.Message), WireMessage.Deliveries(locked.Message) + 1)
    {
        public override async ValueTask CompleteAsync(CancellationToken cancellationToken)
        {
            await entity.Management.CompleteAsync(locked.LockToken, cancellationToken);
            locked.Forget((link, message) => link.Accept(message));
        }

        /// <summary>A delay is a scheduled copy, as for requests.</summary>
        public override async ValueTask AbandonAsync(TimeSpan delay, CancellationToken cancellationToken)
        {
            if (delay <= TimeSpan.Zero)
            {
                await entity.Management.AbandonAsync(locked.LockToken, cancellationToken);
            }
            else if (await entity.Management.RenewAsync(locked.LockToken, cancellationToken))
            {
                Message copy = WireMessage.Again(locked.Message, await clock.NowAsync(cancellationToken) + delay);
                copy.ApplicationProperties[IJobQueue.FirstIdProperty] = Id;
                await entity.Sender.SendAsync([copy], cancellationToken);
                await entity.Management.CompleteAsync(locked.LockToken, cancellationToken);
            }

            locked.Forget((link, message) => link.Modify(message, deliveryFailed: true));
        }

        public override async ValueTask DeadLetterAsync(string reason, CancellationToken cancellationToken)
        {
            await ServiceBusQueue.PutAsideAsync(entity, locked, reason, cancellationToken);
            locked.Forget((link, message) => link.Reject(message));
        }
    }
}
