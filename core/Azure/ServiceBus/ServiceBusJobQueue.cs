using Azure.Messaging.ServiceBus;
using R1Serverless.Queues;

namespace R1Serverless.Azure.ServiceBus;

/// <summary>Jobs as messages of a queue of the service, in peek-lock mode; those put aside go to its dead letters, with the reason.</summary>
internal sealed class ServiceBusJobQueue(QueueEntity entity) : IJobQueue
{
    public ValueTask EnqueueAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken) =>
        entity.SendAsync([BusMessage.Of(message)], cancellationToken);

    public async ValueTask<JobLease?> LeaseAsync(TimeSpan patience, CancellationToken cancellationToken) =>
        await entity.ReceiveAsync(1, patience, cancellationToken) is [var locked] ? new Lease(locked) : null;

    /// <summary>The producer's, or else its place in the queue.</summary>
    private static string IdOf(ServiceBusReceivedMessage message) =>
        message.ApplicationProperties.GetValueOrDefault(IJobQueue.FirstIdProperty) as string ?? message.MessageId ?? $"{message.SequenceNumber}";

    private sealed class Lease(LockedMessage locked)
        : JobLease(IdOf(locked.Message), BusMessage.Body(locked.Message), BusMessage.Deliveries(locked.Message))
    {
        public override async ValueTask CompleteAsync(CancellationToken cancellationToken) => await locked.CompleteAsync(cancellationToken);

        public override async ValueTask AbandonAsync(TimeSpan delay, CancellationToken cancellationToken) =>
            await locked.AbandonAsync(delay, cancellationToken, firstId: Id);

        public override async ValueTask DeadLetterAsync(string reason, CancellationToken cancellationToken) =>
            await locked.DeadLetterAsync(reason, cancellationToken);
    }
}
