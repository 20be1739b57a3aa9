using System.Text;
using Azure.Messaging.ServiceBus;
using R1Serverless.Queues;

namespace R1Serverless.Azure.ServiceBus;

/// <summary>Bodies in the service's messages, and what the service and this program note on them.</summary>
internal static class BusMessage
{
    /// <summary>Deliveries under an earlier copy of the message: the service counts from none for each copy.</summary>
    public const string EarlierDeliveries = "r1-deliveries";

    /// <summary>As <see cref="QueuedRequest.Worker"/>.</summary>
    private const string NamedWorker = "r1-worker";

    /// <summary>When the first copy was enqueued, by the service's clock.</summary>
    private const string Enqueued = "r1-enqueued";

    public static ServiceBusMessage Of(ReadOnlyMemory<byte> body) => new(body)
    {
        MessageId = Guid.NewGuid().ToString("N"),
        ContentType = body.Span is [(byte)'{', ..] ? "application/json" : "application/octet-stream",
    };

    public static ServiceBusMessage Of(ReadOnlyMemory<byte> body, string? worker)
    {
        var message = Of(body);
        if (worker is not null) message.ApplicationProperties[NamedWorker] = worker;
        return message;
    }

    /// <summary>Whether it was sent for another worker than this.</summary>
    public static bool IsForAnother(ServiceBusReceivedMessage message, string worker) =>
        message.ApplicationProperties.GetValueOrDefault(NamedWorker) is string named && named != worker;

    /// <summary>A message to take the place of another, delivered again from <paramref name="due"/> on.</summary>
    public static ServiceBusMessage Again(ServiceBusReceivedMessage earlier, DateTimeOffset due)
    {
        var copy = Of(Body(earlier));
        copy.ApplicationProperties[EarlierDeliveries] = Deliveries(earlier);
        copy.ApplicationProperties[Enqueued] = FirstEnqueued(earlier).UtcDateTime;
        copy.ScheduledEnqueueTime = due;
        return copy;
    }

    /// <summary>Whatever a producer put into it; empty where it is no bytes and no text.</summary>
    public static ReadOnlyMemory<byte> Body(ServiceBusReceivedMessage message)
    {
        var body = message.GetRawAmqpMessage().Body;
        if (body.TryGetData(out _)) return message.Body.ToMemory();
        return body.TryGetValue(out var value)
            ? value switch { string text => Encoding.UTF8.GetBytes(text), byte[] bytes => bytes, _ => default } : default;
    }

    /// <summary>How often it has been delivered, this time and earlier copies included; of a peeked one, how often before.</summary>
    public static int Deliveries(ServiceBusReceivedMessage message) =>
        message.DeliveryCount + (message.ApplicationProperties.GetValueOrDefault(EarlierDeliveries) as int? ?? 0);

    /// <summary>By the service's clock; the first copy's where there were several.</summary>
    public static DateTimeOffset FirstEnqueued(ServiceBusReceivedMessage message) =>
        message.ApplicationProperties.GetValueOrDefault(Enqueued) is DateTime first
        ? new DateTimeOffset(DateTime.SpecifyKind(first, DateTimeKind.Utc)) : message.EnqueuedTime;
}
