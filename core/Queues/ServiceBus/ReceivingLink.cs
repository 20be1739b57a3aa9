using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;
using Amqp;
using Amqp.Framing;

namespace R1Serverless.Queues.ServiceBus;

/// <summary>A receiving link with a session of its own, so that nothing is kept of deliveries that were not settled over it.</summary>
internal sealed class ReceivingLink
{
    private static readonly TimeSpan CloseTime = TimeSpan.FromSeconds(5);

    private readonly Channel<LockedMessage> _arrived = Channel.CreateUnbounded<LockedMessage>(new UnboundedChannelOptions { SingleReader = true });
    private readonly ReceiverLink _link;
    private readonly Session _session;
    private readonly TimeProvider _time;

    /// <param name="attach">Address, filter and settlement.</param>
    /// <param name="credit">Given back as messages are let go; none where it is granted.</param>
    public ReceivingLink(Session session, Attach attach, TimeProvider time, int credit = 0)
    {
        _session = session;
        _time = time;
        Attachment attachment = new();
        _link = new ReceiverLink(session, $"r1-{Guid.NewGuid():N}", attach, attachment.OnAttached);
        Attached = attachment.WatchAsync(_link);
        _link.AddClosedCallback((_, error) => _arrived.Writer.TryComplete(error is null ? null : new AmqpException(error)));
        _link.Start(credit, (_, message) => _arrived.Writer.TryWrite(new LockedMessage(message, _link, _time.GetTimestamp())));
    }

    /// <summary>What the service said to it.</summary>
    public Task<Attach> Attached { get; }

    public bool IsClosed => Attachment.IsOver(_link);

    /// <summary>Lets the service send so many more.</summary>
    public void Grant(int credit) => _link.SetCredit(credit, CreditMode.Manual);

    /// <summary>Whether a message came in time.</summary>
    /// <exception cref="AmqpException">The link was lost.</exception>
    public async ValueTask<bool> ArrivesAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        if (_arrived.Reader.TryPeek(out _)) return true;
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task<bool> arrives = _arrived.Reader.WaitToReadAsync(stop.Token).AsTask();
        await Task.WhenAny(arrives, Task.Delay(patience, _time, stop.Token));
        cancellationToken.ThrowIfCancellationRequested();
        if (arrives.IsCompleted) return await arrives ? true : throw new AmqpException(_link.Error ?? Attachment.Lost);
        await stop.CancelAsync();
        return _arrived.Reader.TryPeek(out _);
    }

    public bool TryTake([NotNullWhen(true)] out LockedMessage? message) => _arrived.Reader.TryRead(out message);

    /// <summary>Detaches; what was on the way has arrived then.</summary>
    public async ValueTask CloseAsync()
    {
        try
        {
            await _link.CloseAsync(CloseTime);
            _session.Close(TimeSpan.Zero);
        }
        catch (Exception fault) when (ServiceBusFault.Knows(fault, CancellationToken.None))
        {
            // It is gone, which was wanted.
        }
    }
}

/// <summary>A message that is locked for this process, or its own already where the link settles as it sends.</summary>
/// <param name="Arrived">The time's stamp.</param>
internal sealed record LockedMessage(Message Message, ReceiverLink Link, long Arrived)
{
    /// <summary>Taken while the library still knows: it forgets a message's delivery once settled.</summary>
    public Guid LockToken { get; } = Message.DeliveryTag is { Length: 16 } tag ? new Guid(tag) : Guid.Empty;

    /// <summary>Tells the link as well how it ended, which clears its books on both sides; the lock, and with it the message, is no longer concerned.</summary>
    public void Forget(Action<ReceiverLink, Message> outcome)
    {
        if (Attachment.IsOver(Link)) return;
        try
        {
            outcome(Link, Message);
        }
        catch (AmqpException)
        {
            // The link closed meanwhile, and its books with it.
        }
    }
}
