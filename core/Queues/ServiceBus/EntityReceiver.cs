using Amqp.Framing;

namespace R1Serverless.Queues.ServiceBus;

/// <summary>
/// Locks messages of one queue when asked, and only then: while nobody asks, the service is owed no credit, since the lock runs from the moment that a message is sent. The library
/// does not tell when credit has been drained, so a link that is left with some is detached, which takes it back for certain and brings what was already on the way.
/// </summary>
internal sealed class EntityReceiver(BusConnection bus, string address, TimeSpan lockTime)
{
    // An empty queue says nothing: this long is waited for an answer even where the caller has no patience, and after the last message for one that follows.
    private static readonly TimeSpan Least = TimeSpan.FromMilliseconds(100), Quiet = TimeSpan.FromMilliseconds(10);

    private readonly SemaphoreSlim _alone = new(1);
    private readonly Queue<LockedMessage> _left = new();
    private ReceivingLink? _link;

    /// <summary>Up to <paramref name="most"/> messages: waits for the first, then takes what is there.</summary>
    public async ValueTask<IReadOnlyList<LockedMessage>> ReceiveAsync(int most, TimeSpan patience, CancellationToken cancellationToken)
    {
        if (!await _alone.WaitAsync(patience > Least ? patience : Least, cancellationToken)) return [];
        try
        {
            List<LockedMessage> received = [];
            while (received.Count < most && _left.TryDequeue(out LockedMessage? left))
            {
                // The caller is owed most of the lock's time; what is older comes back by itself.
                if (bus.Time.GetElapsedTime(left.Arrived) < lockTime / 4) received.Add(left);
            }

            if (received.Count == most) return received;
            await ReceiveAsync(received, most, patience, cancellationToken);
            return received;
        }
        catch (Exception fault) when (ServiceBusFault.Knows(fault, cancellationToken))
        {
            throw bus.Explain(fault, address);
        }
        finally
        {
            _alone.Release();
        }
    }

    /// <summary>Ends receiving; what is locked but was given to nobody.</summary>
    public async ValueTask<IReadOnlyList<LockedMessage>> CloseAsync()
    {
        await _alone.WaitAsync();
        try
        {
            if (_link is { } link) await CloseAsync(link, _left.Enqueue);
            _link = null;
            LockedMessage[] left = [.. _left];
            _left.Clear();
            return left;
        }
        finally
        {
            _alone.Release();
        }
    }

    private async ValueTask ReceiveAsync(List<LockedMessage> received, int most, TimeSpan patience, CancellationToken cancellationToken)
    {
        if (_link is null or { IsClosed: true }) _link = await AttachAsync(cancellationToken);
        ReceivingLink link = _link;
        bool isDone = false;
        try
        {
            link.Grant(most - received.Count);
            TimeSpan wait = received.Count > 0 ? Quiet : patience > Least ? patience : Least;
            while (received.Count < most && await link.ArrivesAsync(wait, cancellationToken))
            {
                while (received.Count < most && link.TryTake(out LockedMessage? message)) received.Add(message);
                wait = Quiet;
            }

            isDone = true;
        }
        finally
        {
            if (received.Count < most || !isDone)
            {
                _link = null;
                await CloseAsync(link, message => (isDone && received.Count < most ? received.Add : (Action<LockedMessage>)_left.Enqueue)(message));
                if (!isDone) received.ForEach(_left.Enqueue);
            }
        }
    }

    private static async ValueTask CloseAsync(ReceivingLink link, Action<LockedMessage> each)
    {
        await link.CloseAsync();
        while (link.TryTake(out LockedMessage? message)) each(message);
    }

    private async ValueTask<ReceivingLink> AttachAsync(CancellationToken cancellationToken)
    {
        OpenConnection connection = await bus.GetAsync(cancellationToken);
        await connection.AuthoriseAsync(address, cancellationToken);
        ReceivingLink link = new(connection.NewSession(), new Attach { Source = new Source { Address = address }, Target = new Target() }, bus.Time);
        await link.Attached.WaitAsync(bus.AnswerTime, bus.Time, cancellationToken);
        return link;
    }
}
