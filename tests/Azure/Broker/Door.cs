using Amqp.Framing;
using Amqp.Listener;
using Amqp.Types;

namespace R1Serverless.Tests.Azure.Broker;

/// <summary>Which links a client may attach, and what they lead to.</summary>
internal sealed class Door(StandInBroker broker, BrokerOptions options)
{
    // What a client may send before it is answered.
    private const int Credit = 500;

    private readonly ManagementNode _management = new(broker);

    public Admittance Admit(ListenerLink link, Attach attach)
    {
        // Service Bus takes an address with and without a slash before it.
        var address = ((attach.Role ? (attach.Source as Source)?.Address : (attach.Target as Target)?.Address) ?? "").TrimStart('/');
        if (!broker.Claims.Allows((ListenerConnection)link.Session.Connection, address))
            return Refuse("amqp:unauthorized-access", $"Unauthorized access. 'Listen' or 'Send' claim(s) are required. Resource: '{address}'.");
        var node = address.Split('/')[^1];
        if (node is ClaimsNode.Name or ManagementNode.Name)
        {
            var entity = address[..^node.Length].TrimEnd('/');
            if (node == ManagementNode.Name && broker.Find(entity) is null)
                return Refuse("amqp:not-found", $"The messaging entity '{entity}' could not be found.");
            Action<AttachedLink,
                MessageContext> receive = node == ClaimsNode.Name ? broker.Claims.Receive
                : (asker, request) => _management.Receive(broker.Queue(entity), asker, request);
            return new Admittance(
                attach.Role ? new AttachedLink(broker, link, address) { ReplyTo = ((Target)attach.Target).Address }
                : new AttachedLink(broker, link, address) { Receive = receive }, Credit: Credit);
        }

        if (broker.Find(address) is not { } queue) return Refuse("amqp:not-found", $"The messaging entity '{address}' could not be found.");
        if (!attach.Role)
        {
            attach.MaxMessageSize = (ulong)options.MaxBytes;
            return new Admittance(new AttachedLink(broker, link, address) { Receive = (sender, message) => Enqueue(queue, message) }, Credit: Credit);
        }

        var session = ((Source)attach.Source).FilterSet?[new Symbol("com.microsoft:session-filter")] as string;
        if (queue.HasSessions == session is null)
            return Refuse("amqp:not-allowed",
                "It is not possible for an entity that requires sessions to create a non-sessionful message receiver, or the other way round.");
        AttachedLink receiver =
            new(broker, link, address) { Queue = queue, Session = session, IsSettling = attach.SndSettleMode == SenderSettleMode.Settled };
        if (session is not null)
        {
            if (queue.Accept(session, receiver) is not { } until)
                return Refuse("com.microsoft:session-cannot-be-locked",
                    $"The requested session '{session}' cannot be accepted. It may be locked by another receiver.");
            attach.Properties = new Fields { [new Symbol("com.microsoft:locked-until-utc")] = until.Ticks };
        }

        return new Admittance(receiver);
    }

    private static Admittance Refuse(string condition, string description) => new(null, new Error(condition) { Description = description });

    private void Enqueue(BrokerQueue queue, MessageContext sent)
    {
        var size = BrokerMessage.Bytes(sent.Message).Length;
        if (size > options.MaxBytes)
        {
            sent.Complete(
                new Error("amqp:link:message-size-exceeded")
                {
                    Description =
                $"The received message (size:{size}) exceeds the limit ({options.MaxBytes})."
                });
            return;
        }

        if (queue.HasSessions && sent.Message.Properties?.GroupId is null)
        {
            sent.Complete(
                new Error("amqp:not-allowed") { Description = "The SessionId was not set on a message, and it cannot be sent to the entity." });
            return;
        }

        foreach (var message in BrokerMessage.InBatch(sent.Message)) queue.Enqueue(message);
        sent.Complete();
        broker.Dispatch();
    }
}

/// <summary>A link, or why there is none.</summary>
internal sealed record Admittance(AttachedLink? Link, Error? Refusal = null, int Credit = 0)
{
    public void Complete(AttachContext context)
    {
        if (Link is null) context.Complete(Refusal);
        else context.Complete(Link, Credit);
    }
}
