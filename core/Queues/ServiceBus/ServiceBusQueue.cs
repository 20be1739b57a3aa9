using Amqp;
using Amqp.Types;

namespace R1Serverless.Queues.ServiceBus;

/// <summary>The request queues as two queues of the service, in peek-lock mode. The service gives out requests in the order they came, whoever sent them.</summary>
internal sealed class ServiceBusQueue(QueueEntity interactive, QueueEntity bulk, ClaimCheck bodies, BrokerClock clock, TimeSpan leaseTime, TimeProvider time) : IRequestQueue
{
    private const string Reason = "R1Serverless";
    private const string ReasonProperty = "DeadLetterReason", DescriptionProperty = "DeadLetterErrorDescription";
    private const int LongestReason = 2000;
    private const int SendAtOnce = 256;

    public TimeSpan LeaseTime => leaseTime;

    public async ValueTask EnqueueAsync(IReadOnlyList<QueuedRequest> requests, CancellationToken cancellationToken)
    {
        foreach (IGrouping<WorkClass, QueuedRequest> group in requests.GroupBy(request => request.Class))
        {
            foreach (QueuedRequest[] some in group.Chunk(SendAtOnce))
            {
                Message[] messages = new Message[some.Length];
                for (int i = 0; i < some.Length; i++) messages[i] = WireMessage.Of(await bodies.CheckAsync(MessageFormat.Write(some[i]), cancellationToken));
                await Entity(group.Key).Sender.SendAsync(messages, cancellationToken);
            }
        }
    }

    public async ValueTask<IReadOnlyList<Lease>> LeaseAsync(WorkClass workClass, int most, TimeSpan patience, CancellationToken cancellationToken)
    {
        QueueEntity entity = Entity(workClass);
        return await ReadAsync(entity, await entity.Receiver.ReceiveAsync(most, patience, cancellationToken));
    }

    /// <summary>Not to be cancelled: what has been locked is handed over. A message whose body could not be fetched, or not soon enough for the others, comes again when its lock ends.</summary>
    private async ValueTask<IReadOnlyList<Lease>> ReadAsync(QueueEntity entity, IReadOnlyList<LockedMessage> received)
    {
        List<Lease> leases = [];
        TransportException? missed = null;
        using CancellationTokenSource late = new(ClaimCheck.MostTime(leaseTime), time);
        foreach (LockedMessage locked in received)
        {
            try
            {
                if (await ReadAsync(entity, locked, late.Token) is { } lease) leases.Add(lease);
            }
            catch (TransportException fault)
            {
                missed = fault;
            }
            catch (OperationCanceledException fault) when (late.IsCancellationRequested)
            {
                missed = ClaimCheck.Late(fault);
            }
        }

        return leases.Count > 0 || missed is null ? leases : throw missed;
    }

    /// <summary>Null if it can't be read, and has been put aside.</summary>
    private async ValueTask<Lease?> ReadAsync(QueueEntity entity, LockedMessage locked, CancellationToken late)
    {
        DateTime begin = clock.Observe(WireMessage.LockEnd(locked.Message) ?? DateTime.MinValue);
        try
        {
            ClaimedBody body = await bodies.ClaimAsync(WireMessage.Body(locked.Message), late);
            QueuedRequest message = MessageFormat.ReadRequest(body.Body.Span);
            entity.Held.Hold(locked);
            return new ServiceBusLease(this, entity, locked, body, message, Since(locked.Message, begin)) { Since = locked.Arrived };
        }
        catch (MalformedMessageException fault)
        {
            await PutAsideAsync(entity, locked, fault.Message, CancellationToken.None);
            locked.Forget((link, message) => link.Reject(message));
            return null;
        }
    }

    public async ValueTask<QueueStatistics> StatisticsAsync(WorkClass workClass, CancellationToken cancellationToken)
    {
        QueueEntity entity = Entity(workClass);
        (long waiting, Message? oldest) = await QueueDepth.MeasureAsync(entity.Management, message => !entity.Held.Contains(message), cancellationToken);
        (long dead, _) = await QueueDepth.MeasureAsync(entity.DeadManagement, _ => true, cancellationToken);
        return new QueueStatistics(waiting, null, dead, oldest is null ? null : Since(oldest, await clock.NowAsync(cancellationToken)));
    }

    public async ValueTask<IReadOnlyList<QueuedMessage>> PeekAsync(WorkClass workClass, int most, CancellationToken cancellationToken)
    {
        QueueEntity entity = Entity(workClass);
        IReadOnlyList<Message> seen = await entity.Management.PeekAsync(0, most + entity.Held.Count, cancellationToken);
        if (seen.Count == 0) return [];
        DateTime now = await clock.NowAsync(cancellationToken);
        List<QueuedMessage> waiting = [];
        foreach (Message message in seen.Where(message => !entity.Held.Contains(message)).Take(most))
        {
            QueuedRequest? request = await TryReadAsync(message, cancellationToken);
            waiting.Add(new QueuedMessage(request?.Request.Id.Value, request?.Request.Model, request?.Batch, WireMessage.Deliveries(message), Since(message, now)));
        }

        return waiting;
    }

    public async ValueTask<IReadOnlyList<DeadLetter>> PeekDeadLettersAsync(WorkClass workClass, int most, CancellationToken cancellationToken)
    {
        IReadOnlyList<Message> seen = await Entity(workClass).DeadManagement.PeekAsync(0, most, cancellationToken);
        if (seen.Count == 0) return [];
        DateTime now = await clock.NowAsync(cancellationToken);
        List<DeadLetter> letters = [];
        foreach (Message message in seen)
        {
            QueuedRequest? request = await TryReadAsync(message, cancellationToken);
            string reason = message.ApplicationProperties?[DescriptionProperty] as string ?? message.ApplicationProperties?[ReasonProperty] as string ?? "no reason given";
            int deliveries = message.ApplicationProperties?[ReasonProperty] as string == Reason ? message.ApplicationProperties[WireMessage.EarlierDeliveries] as int? ?? 0 : WireMessage.Deliveries(message);
            letters.Add(new DeadLetter(request?.Request.Id.Value, reason, deliveries, Since(message, now)));
        }

        return letters;
    }

    public async ValueTask<int> RedriveAsync(WorkClass workClass, int most, CancellationToken cancellationToken)
    {
        QueueEntity entity = Entity(workClass);
        HashSet<long> seen = [];
        List<LockedMessage> unreadable = [];
        int redriven = 0;
        try
        {
            // Locked letters don't come again, unless this takes longer than their locks last.
            while (redriven < most && await entity.DeadReceiver.ReceiveAsync(Math.Min(most - redriven, SendAtOnce), TimeSpan.Zero, cancellationToken) is { Count: > 0 } letters)
            {
                foreach (LockedMessage letter in letters)
                {
                    if (!seen.Add(WireMessage.SequenceOf(letter.Message)) || await TryReadAsync(letter.Message, cancellationToken) is null)
                    {
                        unreadable.Add(letter);
                        continue;
                    }

                    await entity.Sender.SendAsync([WireMessage.Of(WireMessage.Body(letter.Message))], cancellationToken);
                    await entity.DeadManagement.CompleteAsync(letter.LockToken, cancellationToken);
                    letter.Forget((link, message) => link.Accept(message));
                    redriven++;
                }

                if (seen.Count < redriven + unreadable.Count) break;
            }
        }
        finally
        {
            foreach (LockedMessage letter in unreadable)
            {
                await entity.DeadManagement.AbandonAsync(letter.LockToken, cancellationToken);
                letter.Forget((link, message) => link.Modify(message, true));
            }
        }

        return redriven;
    }

    public async ValueTask CloseAsync()
    {
        await interactive.CloseAsync();
        await bulk.CloseAsync();
    }

    internal static ValueTask<bool> PutAsideAsync(QueueEntity entity, LockedMessage locked, string reason, CancellationToken cancellationToken) =>
        PutAsideAsync(entity, locked.LockToken, WireMessage.Deliveries(locked.Message) + 1, reason, cancellationToken);

    /// <param name="deliveries">This time included; null where the lock's holder does not say.</param>
    internal static ValueTask<bool> PutAsideAsync(QueueEntity entity, Guid lockToken, int? deliveries, string reason, CancellationToken cancellationToken)
    {
        string description = reason.Length <= LongestReason ? reason : reason[..LongestReason];
        Map properties = deliveries is { } count ? new() { [WireMessage.EarlierDeliveries] = count } : [];
        return entity.Management.DeadLetterAsync(lockToken, Reason, description, properties, cancellationToken);
    }

    internal ValueTask<DateTime> NowAsync(CancellationToken cancellationToken) => clock.NowAsync(cancellationToken);

    internal ValueTask ReleaseAsync(ClaimedBody body, CancellationToken cancellationToken) => bodies.ReleaseAsync(body, cancellationToken);

    private static TimeSpan Since(Message message, DateTime now)
    {
        TimeSpan age = now - WireMessage.FirstEnqueued(message);
        return age > TimeSpan.Zero ? age : TimeSpan.Zero;
    }

    private QueueEntity Entity(WorkClass workClass) => workClass == WorkClass.Interactive ? interactive : bulk;

    private async ValueTask<QueuedRequest?> TryReadAsync(Message message, CancellationToken cancellationToken)
    {
        try
        {
            return MessageFormat.ReadRequest((await bodies.ClaimAsync(WireMessage.Body(message), cancellationToken)).Body.Span);
        }
        catch (MalformedMessageException)
        {
            return null;
        }
    }
}
