using Azure.Messaging.ServiceBus;
using R1Serverless.Queues;
using R1Serverless.Storage;

namespace R1Serverless.Azure.ServiceBus;

/// <summary>The request queues as queues of the service, in peek-lock mode. The service gives out the requests of a queue in the order they came,
/// whoever sent them. A request that names another worker is given back once, at once: whoever waits for one gets it then, of two workers the named
/// one.</summary>
/// <param name="worker">How this process is called where it leases.</param>
internal sealed class ServiceBusQueue(
    ServiceBusLanes interactive, ServiceBusLanes bulk, ClaimCheck bodies, BrokerClock clock, string worker, TimeSpan leaseTime, TimeProvider time)
    : IRequestQueue
{
    private const int MaxAtOnce = 256;

    // Where a worker has several queues, each is asked for so long in turn: no call waits for all of them.
    private static readonly TimeSpan Turn = TimeSpan.FromMilliseconds(100);

    private long _turn;

    public TimeSpan LeaseTime => leaseTime;

    public async ValueTask EnqueueAsync(IReadOnlyList<QueuedRequest> requests, CancellationToken cancellationToken)
    {
        foreach (var group in requests.GroupBy(request => (request.Class, request.Route)))
        {
            foreach (var some in group.Chunk(MaxAtOnce))
            {
                var messages = new ServiceBusMessage[some.Length];
                for (var i = 0; i < some.Length; i++)
                    messages[i] = BusMessage.Of(await bodies.CheckAsync(MessageFormat.Write(some[i]), cancellationToken), some[i].Worker);
                var lanes = Lanes(group.Key.Class);
                var lane = lanes.Of(group.Key.Route);
                if (!await lane.TryAsync(() => SendAsync(lane, messages, cancellationToken), otherwise: false))
                    await SendAsync(lanes.Common, messages, cancellationToken);
            }
        }
    }

    public async ValueTask<IReadOnlyList<Lease>> LeaseAsync(
        WorkClass workClass, IReadOnlyCollection<RequestRoute> routes, int most, TimeSpan patience, CancellationToken cancellationToken)
    {
        var lanes = Lanes(workClass);
        ServiceBusLane[] asked = [.. routes.Select(lanes.Of).Append(lanes.Common).Distinct()];
        var start = time.GetTimestamp();
        while (true)
        {
            var left = patience - time.GetElapsedTime(start);
            var wait = asked.Length == 1 || left < Turn ? left : Turn;
            var lane = asked[(int)(Interlocked.Increment(ref _turn) % asked.Length)];
            var received = await lane.TryAsync(
                () => lane.Live.ReceiveAsync(most, wait > TimeSpan.Zero ? wait : TimeSpan.Zero, cancellationToken), []);
            var kept = await KeepAsync(received);
            if (kept.Count > 0) return await ClaimCheck.ReadAsync(kept, leaseTime, time, ReadAsync);
            if (received.Count > 0 && left > TimeSpan.Zero) continue;
            if (lane.IsMissing) asked = [.. asked.Where(one => one != lane)];
            else if (asked.Length == 1 || left <= TimeSpan.Zero) return [];
        }
    }

    private static async ValueTask<bool> SendAsync(ServiceBusLane lane, ServiceBusMessage[] messages, CancellationToken cancellationToken)
    {
        await lane.Live.SendAsync(messages, cancellationToken);
        return true;
    }

    /// <summary>Without those that have just come for another worker, which are given back.</summary>
    private async ValueTask<IReadOnlyList<LockedMessage>> KeepAsync(IReadOnlyList<LockedMessage> received)
    {
        if (!received.Any(IsToBeLeft)) return received;
        var kept = await Task.WhenAll(received.Select(async locked => !IsToBeLeft(locked) || !await TryLeaveAsync(locked)));
        return [.. received.Where((_, i) => kept[i])];
    }

    private bool IsToBeLeft(LockedMessage locked) => BusMessage.IsForAnother(locked.Message, worker) && BusMessage.Deliveries(locked.Message) == 1
        && clock.Observe(locked.Message.LockedUntil) - locked.Message.EnqueuedTime < WorkerPrefixes.HeadStart;

    /// <summary>Not cancelled: what is locked would wait for the end of its lock.</summary>
    private static async Task<bool> TryLeaveAsync(LockedMessage locked)
    {
        try
        {
            return await locked.AbandonAsync(TimeSpan.Zero, CancellationToken.None);
        }
        catch (TransportException)
        {
            // It is run here, or the lock is lost, which is noticed.
            return false;
        }
    }

    /// <summary>Null if it can't be read, and has been put aside.</summary>
    private async ValueTask<Lease?> ReadAsync(LockedMessage locked, CancellationToken late)
    {
        var begin = clock.Observe(locked.Message.LockedUntil);
        try
        {
            var body = await bodies.ClaimAsync(BusMessage.Body(locked.Message), late);
            var message = MessageFormat.ReadRequest(body.Body);
            locked.Entity.Hold(locked.Message);
            return new ServiceBusLease(bodies, locked, body with { Body = default }, message, Since(locked.Message, begin))
            { Since = locked.Arrived };
        }
        catch (MalformedMessageException fault)
        {
            await locked.DeadLetterAsync(fault.Message, CancellationToken.None);
            return null;
        }
    }

    public async ValueTask<QueueStatistics> StatisticsAsync(WorkClass workClass, CancellationToken cancellationToken)
    {
        List<ModelStatistics> models = [];
        long dead = 0;
        foreach (var lane in await Lanes(workClass).ListAsync(cancellationToken))
        {
            var (waiting, oldest) = await lane.TryAsync(
                () => QueueDepth.MeasureAsync(lane.Live, message => !lane.Live.Holds(message), cancellationToken), default);
            if (lane.IsMissing) continue;
            dead += (await QueueDepth.MeasureAsync(lane.Dead, _ => true, cancellationToken)).Count;
            models.Add(new ModelStatistics(
                lane.Model, waiting, null, oldest is null ? null : Since(oldest, await clock.NowAsync(cancellationToken))));
        }

        var total = QueueStatistics.Of(
            [.. models.GroupBy(model => model.Model, StringComparer.Ordinal).Select(same => new ModelStatistics(
                same.Key, same.Sum(model => model.Waiting), null, same.Max(model => model.OldestAge)))], dead);
        // Where all models share one queue, nothing is known of each.
        return models.Count > 1 ? total with { Leased = null } : total with { Leased = null, Models = [] };
    }

    public async ValueTask<IReadOnlyList<QueuedMessage>> PeekAsync(WorkClass workClass, int most, CancellationToken cancellationToken)
    {
        List<QueuedMessage> waiting = [];
        foreach (var lane in await Lanes(workClass).ListAsync(cancellationToken))
        {
            var seen = await lane.TryAsync(() => lane.Live.PeekAsync(0, most + lane.Live.Held, cancellationToken), []);
            foreach (var message in seen.Where(message => !lane.Live.Holds(message)).Take(most))
            {
                var request = await TryReadAsync(message, cancellationToken);
                waiting.Add(QueuedMessage.Of(request, BusMessage.Deliveries(message), Since(message, await clock.NowAsync(cancellationToken))));
            }
        }

        return [.. waiting.OrderByDescending(message => message.Age).Take(most)];
    }

    public async ValueTask<IReadOnlyList<DeadLetter>> PeekDeadLettersAsync(WorkClass workClass, int most, CancellationToken cancellationToken)
    {
        List<DeadLetter> letters = [];
        foreach (var lane in await Lanes(workClass).ListAsync(cancellationToken))
        {
            foreach (var message in await lane.TryAsync(() => lane.Dead.PeekAsync(0, most, cancellationToken), []))
            {
                var request = await TryReadAsync(message, cancellationToken);
                var reason = message.DeadLetterErrorDescription ?? message.DeadLetterReason ?? "no reason given";
                var deliveries = message.DeadLetterReason == LockedMessage.Reason
                    ? message.ApplicationProperties.GetValueOrDefault(BusMessage.EarlierDeliveries) as int? ?? 0 : BusMessage.Deliveries(message);
                letters.Add(new DeadLetter(
                    request?.Request.Id.Value, reason, deliveries, Since(message, await clock.NowAsync(cancellationToken))));
            }
        }

        return [.. letters.OrderByDescending(letter => letter.Age).Take(most)];
    }

    public async ValueTask<int> RedriveAsync(WorkClass workClass, int most, CancellationToken cancellationToken)
    {
        var redriven = 0;
        foreach (var lane in await Lanes(workClass).ListAsync(cancellationToken))
        {
            if (redriven < most) redriven += await lane.TryAsync(() => RedriveAsync(lane, most - redriven, cancellationToken), 0);
        }

        return redriven;
    }

    private async ValueTask<int> RedriveAsync(ServiceBusLane lane, int most, CancellationToken cancellationToken)
    {
        HashSet<long> seen = [];
        List<LockedMessage> unreadable = [];
        var redriven = 0;
        try
        {
            // Locked letters don't come again, unless this takes longer than their locks last.
            while (redriven < most && await lane.Dead.ReceiveAsync(
                Math.Min(most - redriven, MaxAtOnce), TimeSpan.Zero, cancellationToken) is { Count: > 0 } letters && letters.All(IsNew))
            {
                foreach (var letter in letters)
                {
                    if (await TryReadAsync(letter.Message, cancellationToken) is null)
                    {
                        unreadable.Add(letter);
                        continue;
                    }

                    await lane.Live.SendAsync([BusMessage.Of(BusMessage.Body(letter.Message))], cancellationToken);
                    await letter.CompleteAsync(cancellationToken);
                    redriven++;
                }
            }
        }
        finally
        {
            foreach (var letter in unreadable) await letter.AbandonAsync(TimeSpan.Zero, cancellationToken);
        }

        return redriven;

        bool IsNew(LockedMessage letter) => seen.Add(letter.Message.SequenceNumber);
    }

    private static TimeSpan Since(ServiceBusReceivedMessage message, DateTimeOffset now)
    {
        var age = now - BusMessage.FirstEnqueued(message);
        return age > TimeSpan.Zero ? age : TimeSpan.Zero;
    }

    private ServiceBusLanes Lanes(WorkClass workClass) => workClass == WorkClass.Interactive ? interactive : bulk;

    private ValueTask<QueuedRequest?> TryReadAsync(ServiceBusReceivedMessage message, CancellationToken cancellationToken) =>
        bodies.TryReadAsync(() => BusMessage.Body(message), cancellationToken);
}
