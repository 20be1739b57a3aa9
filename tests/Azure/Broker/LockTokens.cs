using Amqp.Handler;
using Amqp.Types;

namespace R1Serverless.Tests.Azure.Broker;

/// <summary>Makes lock tokens the tags of deliveries, as Service Bus does.</summary>
internal sealed class LockTokens : IHandler
{
    public static readonly Symbol Annotation = "x-opt-lock-token";

    public bool CanHandle(EventId id) => id == EventId.SendDelivery;

    public void Handle(Event protocolEvent)
    {
        if (protocolEvent.Context is IDelivery { Message.DeliveryAnnotations: { } annotations } delivery && annotations[Annotation] is Guid token)
            delivery.Tag = token.ToByteArray();
    }
}
