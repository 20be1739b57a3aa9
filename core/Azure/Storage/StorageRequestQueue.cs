using R1Serverless.Queues;
using R1Serverless.Storage;

namespace R1Serverless.Azure.Storage;

/// <summary>Storage queues as request queues: a lease is a message's visibility timeout. Order is nearly first in, first out. Leased messages are
/// part of the service's count, so the statistics of more than 32 waiting requests are an estimate, and nobody tells how many are leased. The service
/// shows 32 messages at most without leasing them.</summary>
internal sealed class StorageRequestQueue(StorageLanes interactive, StorageLanes bulk, StorageReplyChannel replies, ClaimCheck claims,
    TimeSpan leaseTime, TimeProvider time) : IRequestQueue
{
    /// <summary>Up to so many requests are sent one after the other, in order; more at once.</summary>
    private const int MaxInOrder = 16;

    private const int MaxCalls = 4;

    // What has been leased when the caller gives up is given back; that needs the answer.
    private static readonly TimeSpan CancelGrace = TimeSpan.FromSeconds(1);

    private long _turn;

    public TimeSpan LeaseTime => leaseTime;

    public async ValueTask OpenAsync(CancellationToken cancellationToken) =>
        await Task.WhenAll(interactive.OpenAsync(cancellationToken).AsTask(), bulk.OpenAsync(cancellationToken).AsTask());

    public async ValueTask EnqueueAsync(IReadOnlyList<QueuedRequest> requests, CancellationToken cancellationToken)
    {
        await Parallel.ForEachAsync(
            requests,
            new ParallelOptions { MaxDegreeOfParallelism = requests.Count <= MaxInOrder ? 1 : MaxInOrder, CancellationToken = cancellationToken },
            async (request, cancel) =>
            {
                var body = await claims.CheckAsync(MessageFormat.Write(request), cancel);
                await Lanes(request.Class).Of(request.Route).SendAsync(Convert.ToBase64String(body.Span), cancel);
            });
        if (requests.Any(request => request.ReplyTo == replies.Address)) replies.Expect();
    }

    public async ValueTask<IReadOnlyList<Lease>> LeaseAsync(
        WorkClass workClass, IReadOnlyCollection<RequestRoute> routes, int most, TimeSpan patience, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        var news = Lanes(workClass).News;
        StorageLane[] lanes = [Lanes(workClass).Common, .. routes.Select(Lanes(workClass).Of)];
        var start = time.GetTimestamp();
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var seen = news.Version;
            // In turns, so that none waits for another to be empty.
            var turn = Interlocked.Increment(ref _turn);
            for (var i = 0; i < lanes.Length; i++)
            {
                var lane = lanes[(int)((i + turn) % lanes.Length)];
                if (patience > TimeSpan.Zero && lane.Left > TimeSpan.Zero) continue;
                // The leases begin at the service between the question and its answer.
                var asked = time.GetTimestamp();
                var received = await ReceiveAsync(lane, most, cancellationToken);
                if (received.Count > 0 && await ClaimCheck.ReadAsync(received, leaseTime, time,
                    async (message, late) => await lane.ReadAsync(message, leaseTime, asked, late)) is { Count: > 0 } leases) return leases;
            }

            var left = patience - time.GetElapsedTime(start);
            if (left <= TimeSpan.Zero) return [];
            var pause = lanes.Min(lane => lane.Left);
            if (pause > TimeSpan.Zero) await news.WaitAsync(seen, pause < left ? pause : left, time, cancellationToken);
        }
    }

    public async ValueTask<QueueStatistics> StatisticsAsync(WorkClass workClass, CancellationToken cancellationToken)
    {
        var lanes = await Lanes(workClass).ListAsync(cancellationToken);
        var counted = await Task.WhenAll(lanes.Select(lane => CountAsync(lane, cancellationToken)));
        var models = counted.GroupBy(model => model.Model, StringComparer.Ordinal).Select(same => new ModelStatistics(
            same.Key, same.Sum(model => model.Waiting), null, same.Max(model => model.OldestAge))).Where(model => model.Waiting > 0);
        return QueueStatistics.Of([.. models], await Lanes(workClass).Dead.CountAsync(cancellationToken)) with { Leased = null };
    }

    public async ValueTask<IReadOnlyList<QueuedMessage>> PeekAsync(WorkClass workClass, int most, CancellationToken cancellationToken)
    {
        List<QueuedMessage> seen = [];
        foreach (var lane in await Lanes(workClass).ListAsync(cancellationToken))
        {
            foreach (var message in await lane.PeekAsync(most, cancellationToken))
                seen.Add(QueuedMessage.Of(await claims.TryReadAsync(message.Body, cancellationToken), message.DequeueCount, message.Age));
        }

        return [.. seen.OrderByDescending(message => message.Age).Take(most)];
    }

    public ValueTask<IReadOnlyList<DeadLetter>> PeekDeadLettersAsync(WorkClass workClass, int most, CancellationToken cancellationToken) =>
        Lanes(workClass).Dead.PeekAsync(most, cancellationToken);

    public ValueTask<int> RedriveAsync(WorkClass workClass, int most, CancellationToken cancellationToken) =>
        Lanes(workClass).Dead.RedriveAsync(most, cancellationToken);

    private StorageLanes Lanes(WorkClass workClass) => workClass == WorkClass.Interactive ? interactive : bulk;

    private static async Task<ModelStatistics> CountAsync(StorageLane lane, CancellationToken cancellationToken)
    {
        var waiting = await lane.PeekAsync(MessageQueue.MaxPerCall, cancellationToken);
        // Fewer than asked for are all that nobody has leased.
        var count = waiting.Count < MessageQueue.MaxPerCall ? waiting.Count : Math.Max(waiting.Count, await lane.Live.CountAsync(cancellationToken));
        return new ModelStatistics(lane.Model, count, null, waiting.Count == 0 ? null : waiting.Max(message => message.Age));
    }

    /// <summary>One call's worth, and where that was full, several calls at once for the rest.</summary>
    private async ValueTask<IReadOnlyList<StoredMessage>> ReceiveAsync(StorageLane lane, int most, CancellationToken cancellationToken)
    {
        using CancellationTokenSource late = new(Timeout.InfiniteTimeSpan, time);
        await using var cancelled = cancellationToken.UnsafeRegister(_ => late.CancelAfter(CancelGrace), null);
        IReadOnlyList<StoredMessage> received;
        try
        {
            received = await lane.ReceiveAsync(Math.Min(most, MessageQueue.MaxPerCall), leaseTime, late.Token);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellationToken);
        }

        if (received.Count == MessageQueue.MaxPerCall && most > received.Count && !cancellationToken.IsCancellationRequested)
        {
            var rest = most - received.Count;
            var more = Enumerable.Range(0, MaxCalls).Select(i => Math.Min(rest - (i * MessageQueue.MaxPerCall), MessageQueue.MaxPerCall))
                .Where(count => count > 0)
                .Select(count => MoreAsync(lane, count, late.Token));
            received = [.. received, .. (await Task.WhenAll(more)).SelectMany(messages => messages)];
        }

        if (!cancellationToken.IsCancellationRequested) return received;
        foreach (var message in received) await lane.Live.ExtendAsync(message.Id, message.PopReceipt, TimeSpan.Zero, CancellationToken.None);
        throw new OperationCanceledException(cancellationToken);
    }

    /// <summary>What comes on top; a fault here is told by the next call.</summary>
    private async Task<IReadOnlyList<StoredMessage>> MoreAsync(StorageLane lane, int most, CancellationToken cancellationToken)
    {
        try
        {
            return await lane.ReceiveAsync(most, leaseTime, cancellationToken);
        }
        catch (Exception fault) when (fault is TransportException or OperationCanceledException)
        {
            return [];
        }
    }
}
