using Azure.Messaging.ServiceBus;

namespace R1Serverless.Queues.ServiceBus;

/// <summary>The request queues as two queues of the service, in peek-lock mode. The service gives out requests in the order they came, whoever sent them.</summary>
internal sealed class ServiceBusQueue(
    (QueueEntity Live, QueueEntity Dead) interactive, (QueueEntity Live, QueueEntity Dead) bulk, ClaimCheck bodies, BrokerClock clock, TimeSpan leaseTime, TimeProvider time) : IRequestQueue
{
    private const int MostAtOnce = 256;

    public TimeSpan LeaseTime => leaseTime;

    public async ValueTask EnqueueAsync(IReadOnlyList<QueuedRequest> requests, CancellationToken cancellationToken)
    {
        foreach (IGrouping<WorkClass, QueuedRequest> group in requests.GroupBy(request => request.Class))
        {
            foreach (QueuedRequest[] some in group.Chunk(MostAtOnce))
            {
                ServiceBusMessage[] messages = new ServiceBusMessage[some.Length];
                for (int i = 0; i < some.Length; i++) messages[i] = BusMessage.Of(await bodies.CheckAsync(MessageFormat.Write(some[i]), cancellationToken));
                await Live(group.Key).SendAsync(messages, cancellationToken);
            }
        }
    }

    public async ValueTask<IReadOnlyList<Lease>> LeaseAsync(WorkClass workClass, int most, TimeSpan patience, CancellationToken cancellationToken) =>
        await ClaimCheck.ReadAsync(await Live(workClass).ReceiveAsync(most, patience, cancellationToken), leaseTime, time, ReadAsync);

    /// <summary>Null if it can't be read, and has been put aside.</summary>
    private async ValueTask<Lease?> ReadAsync(LockedMessage locked, CancellationToken late)
    {
        DateTimeOffset begin = clock.Observe(locked.Message.LockedUntil);
        try
        {
            ClaimedBody body = await bodies.ClaimAsync(BusMessage.Body(locked.Message), late);
            QueuedRequest message = MessageFormat.ReadRequest(body.Body.Span);
            locked.Entity.Hold(locked.Message);
            return new ServiceBusLease(bodies, locked, body with { Body = default }, message, Since(locked.Message, begin)) { Since = locked.Arrived };
        }
        catch (MalformedMessageException fault)
        {
            await locked.DeadLetterAsync(fault.Message, CancellationToken.None);
            return null;
        }
    }

    public async ValueTask<QueueStatistics> StatisticsAsync(WorkClass workClass, CancellationToken cancellationToken)
    {
        QueueEntity live = Live(workClass);
        (long waiting, ServiceBusReceivedMessage? oldest) = await QueueDepth.MeasureAsync(live, message => !live.Holds(message), cancellationToken);
        (long dead, _) = await QueueDepth.MeasureAsync(Dead(workClass), _ => true, cancellationToken);
        return new QueueStatistics(waiting, null, dead, oldest is null ? null : Since(oldest, await clock.NowAsync(cancellationToken)));
    }

    public async ValueTask<IReadOnlyList<QueuedMessage>> PeekAsync(WorkClass workClass, int most, CancellationToken cancellationToken)
    {
        QueueEntity live = Live(workClass);
        IReadOnlyList<ServiceBusReceivedMessage> seen = await live.PeekAsync(0, most + live.Held, cancellationToken);
        if (seen.Count == 0) return [];
        DateTimeOffset now = await clock.NowAsync(cancellationToken);
        List<QueuedMessage> waiting = [];
        foreach (ServiceBusReceivedMessage message in seen.Where(message => !live.Holds(message)).Take(most))
        {
            QueuedRequest? request = await TryReadAsync(message, cancellationToken);
            waiting.Add(new QueuedMessage(request?.Request.Id.Value, request?.Request.Model, request?.Batch, BusMessage.Deliveries(message), Since(message, now)));
        }

        return waiting;
    }

    public async ValueTask<IReadOnlyList<DeadLetter>> PeekDeadLettersAsync(WorkClass workClass, int most, CancellationToken cancellationToken)
    {
        IReadOnlyList<ServiceBusReceivedMessage> seen = await Dead(workClass).PeekAsync(0, most, cancellationToken);
        if (seen.Count == 0) return [];
        DateTimeOffset now = await clock.NowAsync(cancellationToken);
        List<DeadLetter> letters = [];
        foreach (ServiceBusReceivedMessage message in seen)
        {
            QueuedRequest? request = await TryReadAsync(message, cancellationToken);
            string reason = message.DeadLetterErrorDescription ?? message.DeadLetterReason ?? "no reason given";
            int deliveries = message.DeadLetterReason == LockedMessage.Reason ? message.ApplicationProperties.GetValueOrDefault(BusMessage.EarlierDeliveries) as int? ?? 0 : BusMessage.Deliveries(message);
            letters.Add(new DeadLetter(request?.Request.Id.Value, reason, deliveries, Since(message, now)));
        }

        return letters;
    }

    public async ValueTask<int> RedriveAsync(WorkClass workClass, int most, CancellationToken cancellationToken)
    {
        HashSet<long> seen = [];
        List<LockedMessage> unreadable = [];
        int redriven = 0;
        try
        {
            // Locked letters don't come again, unless this takes longer than their locks last.
            while (redriven < most && await Dead(workClass).ReceiveAsync(Math.Min(most - redriven, MostAtOnce), TimeSpan.Zero, cancellationToken) is { Count: > 0 } letters && letters.All(IsNew))
            {
                foreach (LockedMessage letter in letters)
                {
                    if (await TryReadAsync(letter.Message, cancellationToken) is null)
                    {
                        unreadable.Add(letter);
                        continue;
                    }

                    await Live(workClass).SendAsync([BusMessage.Of(BusMessage.Body(letter.Message))], cancellationToken);
                    await letter.CompleteAsync(cancellationToken);
                    redriven++;
                }
            }
        }
        finally
        {
            foreach (LockedMessage letter in unreadable) await letter.AbandonAsync(TimeSpan.Zero, cancellationToken);
        }

        return redriven;

        bool IsNew(LockedMessage letter) => seen.Add(letter.Message.SequenceNumber);
    }

    private static TimeSpan Since(ServiceBusReceivedMessage message, DateTimeOffset now)
    {
        TimeSpan age = now - BusMessage.FirstEnqueued(message);
        return age > TimeSpan.Zero ? age : TimeSpan.Zero;
    }

    private QueueEntity Live(WorkClass workClass) => workClass == WorkClass.Interactive ? interactive.Live : bulk.Live;

    private QueueEntity Dead(WorkClass workClass) => workClass == WorkClass.Interactive ? interactive.Dead : bulk.Dead;

    private async ValueTask<QueuedRequest?> TryReadAsync(ServiceBusReceivedMessage message, CancellationToken cancellationToken)
    {
        try
        {
            return MessageFormat.ReadRequest((await bodies.ClaimAsync(BusMessage.Body(message), cancellationToken)).Body.Span);
        }
        catch (MalformedMessageException)
        {
            return null;
        }
    }
}
