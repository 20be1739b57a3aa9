using Amqp.Framing;
using Amqp.Listener;

namespace R1Serverless.Tests.Azure.Broker;

/// <summary>A link of a client: what happens on it is passed on to the broker's one thread of work, in order.</summary>
internal sealed class AttachedLink(StandInBroker broker, ListenerLink link, string address) : LinkEndpoint
{
    public ListenerLink Link => link;

    public string Address => address;

    /// <summary>Set where the client receives from a queue.</summary>
    public BrokerQueue? Queue { get; init; }

    /// <summary>Set where the client receives from a session.</summary>
    public string? Session { get; init; }

    /// <summary>Messages leave the queue as they are sent.</summary>
    public bool IsSettling { get; init; }

    /// <summary>Set where the client receives the responses of a node.</summary>
    public string? ReplyTo { get; init; }

    /// <summary>Set where the client sends.</summary>
    public Action<AttachedLink, MessageContext>? Receive { get; init; }

    public int Credit { get; set; }

    public override void OnMessage(MessageContext messageContext) => broker.Post(() => Receive!(this, messageContext));

    public override void OnFlow(FlowContext flowContext)
    {
        var messages = flowContext.Messages;
        broker.Post(() =>
        {
            Credit = messages <= 0 ? 0 : Credit + messages;
            broker.Dispatch();
            if (!link.IsDraining) return;
            Credit = 0;
            link.CompleteDrain();
        });
    }

    public override void OnDisposition(DispositionContext dispositionContext)
    {
        // When a link closes, the library releases what was not settled over it; Service Bus keeps it locked.
        if (link.IsClosed) return;
        var message = dispositionContext.Message;
        var state = dispositionContext.DeliveryState;
        var isSettled = dispositionContext.Settled;
        if (Queue is null || message.DeliveryTag is not { Length: 16 } tag) return;
        broker.Post(() => broker.Settle(this, message, new Guid(tag), state, isSettled));
    }

    public override void OnLinkClosed(ListenerLink link, Error error) => broker.Post(() => broker.Forget(this));
}
