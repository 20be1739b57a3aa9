using System.Text;
using Amqp;
using Amqp.Framing;
using Amqp.Types;

namespace R1Serverless.Queues.ServiceBus;

/// <summary>Bodies in the protocol's messages, and what the service and this program note on them.</summary>
internal static class WireMessage
{
    /// <summary>Deliveries under an earlier copy of the message: the service counts from none for each copy.</summary>
    public const string EarlierDeliveries = "r1-deliveries";

    /// <summary>When the first copy was enqueued, by the service's clock.</summary>
    private const string Enqueued = "r1-enqueued";

    private const string Json = "application/json";

    private static readonly Symbol EnqueuedTime = "x-opt-enqueued-time", LockedUntil = "x-opt-locked-until", Sequence = "x-opt-sequence-number", ScheduledTime = "x-opt-scheduled-enqueue-time";

    public static Message Of(ReadOnlyMemory<byte> body) => new()
    {
        Header = new Header { Durable = true },
        Properties = new Properties { MessageId = Guid.NewGuid().ToString("N"), ContentType = Json },
        BodySection = new Data { Binary = body.ToArray() },
    };

    /// <summary>To one session only, and gone after a while.</summary>
    public static Message ToSession(ReadOnlyMemory<byte> body, string session, TimeSpan age)
    {
        Message message = Of(body);
        message.Properties.GroupId = session;
        message.Header.Ttl = (uint)age.TotalMilliseconds;
        return message;
    }

    /// <summary>A message to take the place of another, delivered again from <paramref name="due"/> on.</summary>
    public static Message Again(Message earlier, DateTime due)
    {
        Message copy = Of(Body(earlier));
        copy.ApplicationProperties = new ApplicationProperties { [EarlierDeliveries] = Deliveries(earlier) + 1, [Enqueued] = FirstEnqueued(earlier) };
        copy.MessageAnnotations = new MessageAnnotations { [ScheduledTime] = due };
        return copy;
    }

    /// <summary>Whatever a producer put into it; empty where it is no bytes and no text.</summary>
    public static byte[] Body(Message message) => message.Body switch
    {
        byte[] bytes => bytes,
        string text => Encoding.UTF8.GetBytes(text),
        _ => [],
    };

    /// <summary>How often it has been delivered before, earlier copies included.</summary>
    public static int Deliveries(Message message) => (int)(message.Header?.DeliveryCount ?? 0) + (message.ApplicationProperties?[EarlierDeliveries] as int? ?? 0);

    public static long SequenceOf(Message message) => message.MessageAnnotations?[Sequence] as long? ?? 0;

    /// <summary>By the service's clock; the first copy's where there were several.</summary>
    public static DateTime FirstEnqueued(Message message) => message.ApplicationProperties?[Enqueued] as DateTime? ?? message.MessageAnnotations?[EnqueuedTime] as DateTime? ?? DateTime.MaxValue;

    /// <summary>By the service's clock; null where it is not locked.</summary>
    public static DateTime? LockEnd(Message message) => message.MessageAnnotations?[LockedUntil] as DateTime?;
}
