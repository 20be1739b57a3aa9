using Amqp;

namespace R1Serverless.Queues.ServiceBus;

/// <summary>How many messages a queue holds, by peeking, which needs no right to manage it.</summary>
internal static class QueueDepth
{
    private const int Page = 100;
    private const long FarthestStep = 1L << 40;

    /// <param name="isCounted">Of the oldest messages, which are looked at one by one, whether it counts.</param>
    /// <returns>Up to a hundred messages, exactly; beyond, by how far the sequence numbers go, which counts the gaps that finished messages leave: an upper bound. And the oldest that counts.</returns>
    public static async ValueTask<(long Count, Message? Oldest)> MeasureAsync(EntityManagement queue, Func<Message, bool> isCounted, CancellationToken cancellationToken)
    {
        IReadOnlyList<Message> first = await queue.PeekAsync(0, Page, cancellationToken);
        List<Message> counted = [.. first.Where(isCounted)];
        long more = first.Count < Page ? 0 : await BeyondAsync(queue, WireMessage.SequenceOf(first[^1]), cancellationToken);
        return (counted.Count + more, counted.Count > 0 ? counted[0] : null);
    }

    /// <summary>How far the last message's sequence number lies beyond one: steps that double until there is none, then halves.</summary>
    private static async ValueTask<long> BeyondAsync(EntityManagement queue, long from, CancellationToken cancellationToken)
    {
        long last = from, step = Page;
        while (step < FarthestStep && await NextAsync(queue, last + step, cancellationToken) is { } found) (last, step) = (found, step * 2);
        long none = last + step;
        while (none - last > 1)
        {
            long middle = last + (none - last) / 2;
            if (await NextAsync(queue, middle, cancellationToken) is { } found) last = found;
            else none = middle;
        }

        return last - from;
    }

    private static async ValueTask<long?> NextAsync(EntityManagement queue, long from, CancellationToken cancellationToken) =>
        await queue.PeekAsync(from, 1, cancellationToken) is [{ } found] ? WireMessage.SequenceOf(found) : null;
}
