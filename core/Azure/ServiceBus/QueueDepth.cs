using Azure.Messaging.ServiceBus;

namespace R1Serverless.Azure.ServiceBus;

/// <summary>How many messages a queue holds, by peeking, which needs no right to manage it.</summary>
internal static class QueueDepth
{
    private const int Page = 100;
    private const long FarthestStep = 1L << 40;

    /// <param name="isCounted">Of the oldest messages, which are looked at one by one, whether it counts.</param>
    /// <returns>Up to a hundred messages, exactly; beyond, by how far the sequence numbers go, which counts the gaps that finished messages leave: an
    /// upper bound. And the oldest that counts.</returns>
    public static async ValueTask<(long Count, ServiceBusReceivedMessage? Oldest)> MeasureAsync(QueueEntity queue,
        Func<ServiceBusReceivedMessage, bool> isCounted, CancellationToken cancellationToken)
    {
        var first = await queue.PeekAsync(0, Page, cancellationToken);
        ServiceBusReceivedMessage[] counted = [.. first.Where(isCounted)];
        // Large messages come in fewer than were asked for.
        var more = first.Count == 0 ? 0 : await BeyondAsync(queue, first[^1].SequenceNumber, cancellationToken);
        return (counted.Length + more, counted.FirstOrDefault());
    }

    /// <summary>How far the last message's sequence number lies beyond one: steps that double until there is none, then halves.</summary>
    private static async ValueTask<long> BeyondAsync(QueueEntity queue, long from, CancellationToken cancellationToken)
    {
        if (await NextAsync(queue, from + 1, cancellationToken) is not { } last) return 0;
        long step = Page;
        while (step < FarthestStep && await NextAsync(queue, last + step, cancellationToken) is { } found) (last, step) = (found, step * 2);
        var none = last + step;
        while (none - last > 1)
        {
            var middle = last + (none - last) / 2;
            if (await NextAsync(queue, middle, cancellationToken) is { } found) last = found;
            else none = middle;
        }

        return last - from;
    }

    private static async ValueTask<long?> NextAsync(QueueEntity queue, long from, CancellationToken cancellationToken) =>
        await queue.PeekAsync(from, 1, cancellationToken) is [{ } found] ? found.SequenceNumber : null;
}
