using Amqp;
using Amqp.Framing;

namespace R1Serverless.Queues.ServiceBus;

/// <summary>Sends to one queue.</summary>
internal sealed class EntitySender
{
    private readonly BusConnection _bus;
    private readonly string _address;
    private readonly LinkSlot<SenderLink> _link;

    public EntitySender(BusConnection bus, string address)
    {
        _bus = bus;
        _address = address;
        _link = new LinkSlot<SenderLink>(bus, address, AttachAsync, Attachment.IsOver);
    }

    /// <summary>Checks that it can be sent to.</summary>
    public async ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _link.GetAsync(cancellationToken);
        }
        catch (Exception fault) when (ServiceBusFault.Knows(fault, cancellationToken))
        {
            throw _bus.Explain(fault, _address);
        }
    }

    /// <summary>In this order. They are in the queue when the task completes; if it fails, some of them may be.</summary>
    public async ValueTask SendAsync(IReadOnlyList<Message> messages, CancellationToken cancellationToken)
    {
        try
        {
            SenderLink link = await _link.GetAsync(cancellationToken);
            await Task.WhenAll(messages.Select(message => link.SendAsync(message, _bus.AnswerTime))).WaitAsync(cancellationToken);
        }
        catch (Exception fault) when (ServiceBusFault.Knows(fault, cancellationToken))
        {
            throw _bus.Explain(fault, _address);
        }
    }

    private async Task<SenderLink> AttachAsync(OpenConnection connection, CancellationToken cancellationToken)
    {
        Attachment attachment = new();
        SenderLink link = new(connection.Session, $"r1-{Guid.NewGuid():N}", new Attach { Source = new Source(), Target = new Target { Address = _address } }, attachment.OnAttached);
        await attachment.WatchAsync(link).WaitAsync(_bus.AnswerTime, _bus.Time, cancellationToken);
        return link;
    }
}
