using Azure.Messaging.ServiceBus;
using R1Serverless.Queues;

namespace R1Serverless.Azure.ServiceBus;

/// <summary>A message that is locked for this process. Its lock does not depend on the link it came over. Each ending is false if the lock is
/// lost.</summary>
/// <param name="Arrived">The time's stamp.</param>
internal sealed record LockedMessage(QueueEntity Entity, ServiceBusReceivedMessage Message, long Arrived)
{
    /// <summary>Who put a letter aside, where it was not the service.</summary>
    public const string Reason = "R1Serverless";

    private const int LongestReason = 2000;

    public ValueTask<bool> RenewAsync(CancellationToken cancellationToken) => Entity.RenewAsync(Message, cancellationToken);

    public ValueTask<bool> CompleteAsync(CancellationToken cancellationToken) =>
        Entity.SettleAsync("complete a message", (receiver, stop) => receiver.CompleteMessageAsync(Message, stop), cancellationToken);

    /// <summary>A delay is a scheduled copy, since the service gives a message back only at once: should this process end between copy and
    /// completion, it is delivered twice.</summary>
    /// <param name="firstId">For the copy: the id that the first had.</param>
    public async ValueTask<bool> AbandonAsync(TimeSpan delay, CancellationToken cancellationToken, string? firstId = null)
    {
        if (delay <= TimeSpan.Zero)
            return await Entity.SettleAsync("give a message back",
                (receiver, stop) => receiver.AbandonMessageAsync(Message, cancellationToken: stop), cancellationToken);
        // Renewed first: no copy of what runs elsewhere already, and time enough to send it. The new lock tells the service's time as well.
        if (!await RenewAsync(cancellationToken)) return false;
        var copy = BusMessage.Again(Message, Entity.Clock.Observe(Message.LockedUntil) + delay);
        if (firstId is not null) copy.ApplicationProperties[IJobQueue.FirstIdProperty] = firstId;
        await Entity.SendAsync([copy], cancellationToken);
        return await CompleteAsync(cancellationToken);
    }

    public ValueTask<bool> DeadLetterAsync(string reason, CancellationToken cancellationToken)
    {
        var description = reason.Length <= LongestReason ? reason : reason[..LongestReason];
        Dictionary<string, object> properties = new(StringComparer.Ordinal) { [BusMessage.EarlierDeliveries] = BusMessage.Deliveries(Message) };
        return Entity.SettleAsync("put a message aside",
            (receiver, stop) => receiver.DeadLetterMessageAsync(Message, properties, Reason, description, stop), cancellationToken);
    }
}
