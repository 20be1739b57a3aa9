using Amqp;
using Amqp.Framing;
using Amqp.Types;

namespace R1Serverless.Tests.Azure.Broker;

/// <summary>A message in a queue of the stand-in, as it was sent, with what the broker notes of it.</summary>
internal sealed class BrokerMessage
{
    // Of Microsoft's batches, as Service Bus and Event Hubs take them.
    private const uint BatchFormat = 0x80013700;

    public required byte[] Encoded { get; set; }

    public required long Sequence { get; init; }

    public required DateTime Enqueued { get; init; }

    /// <summary>Not to be given out before.</summary>
    public DateTime? Due { get; init; }

    public DateTime? Expires { get; init; }

    public string? Session { get; init; }

    /// <summary>That ended without completion.</summary>
    public int Deliveries { get; set; }

    public Guid? LockToken { get; set; }

    public DateTime LockedUntil { get; set; }

    /// <summary>As a receiver gets it.</summary>
    public Message ToMessage(bool isPeeked = false)
    {
        var message = Message.Decode(new ByteBuffer(Encoded, 0, Encoded.Length, Encoded.Length));
        message.Header ??= new Header();
        message.Header.DeliveryCount = (uint)Deliveries;
        message.MessageAnnotations ??= new MessageAnnotations();
        message.MessageAnnotations[new Symbol("x-opt-sequence-number")] = Sequence;
        message.MessageAnnotations[new Symbol("x-opt-enqueued-time")] = Enqueued;
        if (isPeeked)
        {
            message.MessageAnnotations[new Symbol("x-opt-message-state")] = Due is null ? 0 : 2;
        }
        else if (LockToken is { } token)
        {
            message.MessageAnnotations[new Symbol("x-opt-locked-until")] = LockedUntil;
            message.DeliveryAnnotations = new DeliveryAnnotations { [LockTokens.Annotation] = token };
        }

        return message;
    }

    /// <summary>Sets application properties.</summary>
    public void Modify(IEnumerable<KeyValuePair<string, object>> properties)
    {
        var message = Message.Decode(new ByteBuffer(Encoded, 0, Encoded.Length, Encoded.Length));
        message.ApplicationProperties ??= new ApplicationProperties();
        foreach ((var name, var value) in properties) message.ApplicationProperties[name] = value;
        Encoded = Bytes(message);
    }

    /// <summary>As a program sends it that knows nothing of this one.</summary>
    public static Message Of(byte[] body) => new() { BodySection = new Data { Binary = body } };

    /// <summary>The messages of one transfer: a batch has each of them, encoded, as a section of its data.</summary>
    public static IEnumerable<Message> InBatch(Message sent)
    {
        if (sent.Format != BatchFormat) return [sent];
        Data[] sections = sent.BodySection is DataList several ? [.. Enumerable.Range(0, several.Count).Select(i => several[i])]
            : [(Data)sent.BodySection];
        return sections.Select(one => Message.Decode(new ByteBuffer(one.Binary, 0, one.Binary.Length, one.Binary.Length)));
    }

    public static byte[] Bytes(Message message)
    {
        var buffer = message.Encode();
        return buffer.Buffer.AsSpan(buffer.Offset, buffer.Length).ToArray();
    }
}
