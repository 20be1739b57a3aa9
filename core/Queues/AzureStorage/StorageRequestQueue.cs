namespace R1Serverless.Queues.AzureStorage;

/// <summary>
/// Storage queues as request queues: a lease is a message's visibility timeout. Order is nearly first in, first out. Leased messages are part of the service's count,
/// so the statistics of more than 32 waiting requests are an estimate, and nobody tells how many are leased. The service shows 32 messages at most without leasing them.
/// </summary>
internal sealed class StorageRequestQueue(StorageLane interactive, StorageLane bulk, StorageReplyChannel replies, ClaimCheck claims, TimeSpan leaseTime, TimeProvider time) : IRequestQueue
{
    /// <summary>Up to so many requests are sent one after the other, in order; more at once.</summary>
    private const int MostInOrder = 16;

    private const int MostCalls = 4;

    // What has been leased when the caller gives up is given back; that needs the answer.
    private static readonly TimeSpan CancelGrace = TimeSpan.FromSeconds(1);

    public TimeSpan LeaseTime => leaseTime;

    public async ValueTask OpenAsync(CancellationToken cancellationToken) =>
        await Task.WhenAll(interactive.OpenAsync(cancellationToken).AsTask(), bulk.OpenAsync(cancellationToken).AsTask());

    public async ValueTask EnqueueAsync(IReadOnlyList<QueuedRequest> requests, CancellationToken cancellationToken)
    {
        await Parallel.ForEachAsync(
            requests,
            new ParallelOptions { MaxDegreeOfParallelism = requests.Count <= MostInOrder ? 1 : MostInOrder, CancellationToken = cancellationToken },
            async (request, cancel) => await Lane(request.Class).Live.SendAsync(await claims.CheckAsync(MessageFormat.Write(request), cancel), cancel));

        foreach (WorkClass workClass in requests.Select(request => request.Class).Distinct()) Lane(workClass).Delay.Reset();
        if (requests.Any(request => request.ReplyTo == replies.Address)) replies.Expect();
    }

    public async ValueTask<IReadOnlyList<Lease>> LeaseAsync(WorkClass workClass, int most, TimeSpan patience, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        StorageLane lane = Lane(workClass);
        long start = time.GetTimestamp();
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            // The leases begin at the service between the question and its answer.
            long asked = time.GetTimestamp();
            IReadOnlyList<StoredMessage> received = await ReceiveAsync(lane, most, cancellationToken);
            TimeSpan left = patience - time.GetElapsedTime(start);
            if (received.Count > 0)
            {
                lane.Delay.Reset();
                if (await ClaimCheck.ReadAsync(received, leaseTime, time, async (message, late) => await lane.ReadAsync(message, leaseTime, asked, late)) is { Count: > 0 } leases) return leases;
            }
            else if (left > TimeSpan.Zero)
            {
                await lane.Delay.WaitAsync(left, cancellationToken);
            }
            else
            {
                return [];
            }
        }
    }

    public async ValueTask<QueueStatistics> StatisticsAsync(WorkClass workClass, CancellationToken cancellationToken)
    {
        StorageLane lane = Lane(workClass);
        IReadOnlyList<StoredMessage> waiting = await lane.Live.PeekAsync(MessageQueue.MostPerCall, cancellationToken);
        // Fewer than asked for are all that nobody has leased.
        long count = waiting.Count < MessageQueue.MostPerCall ? waiting.Count : Math.Max(waiting.Count, await lane.Live.CountAsync(cancellationToken));
        return new QueueStatistics(count, null, await lane.Dead.CountAsync(cancellationToken), waiting.Count == 0 ? null : waiting.Max(message => message.Age));
    }

    public async ValueTask<IReadOnlyList<QueuedMessage>> PeekAsync(WorkClass workClass, int most, CancellationToken cancellationToken)
    {
        List<QueuedMessage> seen = [];
        foreach (StoredMessage message in await Lane(workClass).Live.PeekAsync(most, cancellationToken))
        {
            try
            {
                QueuedRequest request = MessageFormat.ReadRequest((await claims.ClaimAsync(message.Body(), cancellationToken)).Body.Span);
                seen.Add(new QueuedMessage(request.Request.Id.Value, request.Request.Model, request.Batch, message.DequeueCount, message.Age));
            }
            catch (MalformedMessageException)
            {
                seen.Add(new QueuedMessage(null, null, null, message.DequeueCount, message.Age));
            }
        }

        return seen;
    }

    public ValueTask<IReadOnlyList<DeadLetter>> PeekDeadLettersAsync(WorkClass workClass, int most, CancellationToken cancellationToken) =>
        Lane(workClass).Dead.PeekAsync(most, cancellationToken);

    public async ValueTask<int> RedriveAsync(WorkClass workClass, int most, CancellationToken cancellationToken)
    {
        int moved = await Lane(workClass).Dead.RedriveAsync(most, cancellationToken);
        if (moved > 0) Lane(workClass).Delay.Reset();
        return moved;
    }

    private StorageLane Lane(WorkClass workClass) => workClass == WorkClass.Interactive ? interactive : bulk;

    /// <summary>One call's worth, and where that was full, several calls at once for the rest.</summary>
    private async ValueTask<IReadOnlyList<StoredMessage>> ReceiveAsync(StorageLane lane, int most, CancellationToken cancellationToken)
    {
        using CancellationTokenSource late = new(Timeout.InfiniteTimeSpan, time);
        await using CancellationTokenRegistration cancelled = cancellationToken.UnsafeRegister(_ => late.CancelAfter(CancelGrace), null);
        IReadOnlyList<StoredMessage> received;
        try
        {
            received = await lane.Live.ReceiveAsync(Math.Min(most, MessageQueue.MostPerCall), leaseTime, late.Token);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }

        if (received.Count == MessageQueue.MostPerCall && most > received.Count && !cancellationToken.IsCancellationRequested)
        {
            int rest = most - received.Count;
            var more = Enumerable.Range(0, MostCalls).Select(i => Math.Min(rest - (i * MessageQueue.MostPerCall), MessageQueue.MostPerCall)).Where(count => count > 0)
                .Select(count => MoreAsync(lane, count, late.Token));
            received = [.. received, .. (await Task.WhenAll(more)).SelectMany(messages => messages)];
        }

        if (!cancellationToken.IsCancellationRequested) return received;
        foreach (StoredMessage message in received) await lane.Live.ExtendAsync(message.Id, message.PopReceipt, TimeSpan.Zero, CancellationToken.None);
        throw new OperationCanceledException(cancellationToken);
    }

    /// <summary>What comes on top; a fault here is told by the next call.</summary>
    private async Task<IReadOnlyList<StoredMessage>> MoreAsync(StorageLane lane, int most, CancellationToken cancellationToken)
    {
        try
        {
            return await lane.Live.ReceiveAsync(most, leaseTime, cancellationToken);
        }
        catch (Exception fault) when (fault is TransportException or OperationCanceledException)
        {
            return [];
        }
    }
}
