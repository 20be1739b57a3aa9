using Amqp;
using Amqp.Framing;
using Amqp.Types;

namespace R1Serverless.Queues.ServiceBus;

/// <summary>
/// What the <c>$management</c> node of an entity does for its messages, by lock token, whichever link they came over. Source: Microsoft's "AMQP 1.0 in Azure Service Bus:
/// request-response-based operations". Messages are settled here because an outcome sent over the receiving link is not answered in a way that the library tells.
/// </summary>
internal sealed class EntityManagement
{
    private const int Gone = 410;
    private const int NotFound = 404;
    private const int NoContent = 204;

    private readonly BusConnection _bus;
    private readonly string _entity;
    private readonly LinkSlot<RequestLink> _link;

    public EntityManagement(BusConnection bus, string entity)
    {
        _bus = bus;
        _entity = entity;
        string address = $"{entity}/$management";
        _link = new LinkSlot<RequestLink>(bus, address, (connection, stop) => RequestLink.AttachAsync(connection.Session, address, bus.AnswerTime, bus.Time, stop), link => link.IsClosed);
    }

    /// <summary>False if the lock is lost.</summary>
    public async ValueTask<bool> RenewAsync(Guid lockToken, CancellationToken cancellationToken) =>
        await AskAsync("com.microsoft:renew-lock", new Map { ["lock-tokens"] = new[] { lockToken } }, cancellationToken) is not null;

    /// <summary>False if the session is no longer this connection's.</summary>
    public async ValueTask<bool> RenewSessionAsync(string session, CancellationToken cancellationToken) =>
        await AskAsync("com.microsoft:renew-session-lock", new Map { ["session-id"] = session }, cancellationToken) is not null;

    /// <summary>False if the lock is lost.</summary>
    public ValueTask<bool> CompleteAsync(Guid lockToken, CancellationToken cancellationToken) => SettleAsync(lockToken, "completed", [], cancellationToken);

    /// <inheritdoc cref="CompleteAsync"/>
    public ValueTask<bool> AbandonAsync(Guid lockToken, CancellationToken cancellationToken) => SettleAsync(lockToken, "abandoned", [], cancellationToken);

    /// <inheritdoc cref="CompleteAsync"/>
    /// <param name="properties">Application properties that the message gets.</param>
    public ValueTask<bool> DeadLetterAsync(Guid lockToken, string reason, string description, Map properties, CancellationToken cancellationToken) =>
        SettleAsync(lockToken, "suspended", new Map { ["deadletter-reason"] = reason, ["deadletter-description"] = description, ["properties-to-modify"] = properties }, cancellationToken);

    /// <summary>Messages in the order they were enqueued, from a sequence number on, whatever their state: locked ones and ones not yet due are among them.</summary>
    public async ValueTask<IReadOnlyList<Message>> PeekAsync(long from, int most, CancellationToken cancellationToken)
    {
        Map? answer = await AskAsync("com.microsoft:peek-message", new Map { ["from-sequence-number"] = from, ["message-count"] = most }, cancellationToken);
        if (answer?["messages"] is not System.Collections.IEnumerable messages) return [];
        List<Message> found = [];
        foreach (object one in messages)
        {
            if (one is Map map && map["message"] is byte[] bytes) found.Add(Message.Decode(new ByteBuffer(bytes, 0, bytes.Length, bytes.Length)));
        }

        return found;
    }

    private async ValueTask<bool> SettleAsync(Guid lockToken, string status, Map more, CancellationToken cancellationToken)
    {
        more["disposition-status"] = status;
        more["lock-tokens"] = new[] { lockToken };
        return await AskAsync("com.microsoft:update-disposition", more, cancellationToken) is not null;
    }

    /// <summary>What was answered, empty if there is nothing to say; null if what was asked about is gone.</summary>
    private async ValueTask<Map?> AskAsync(string operation, Map body, CancellationToken cancellationToken)
    {
        try
        {
            RequestLink link = await _link.GetAsync(cancellationToken);
            Message request = new()
            {
                BodySection = new AmqpValue { Value = body },
                ApplicationProperties = new ApplicationProperties { ["operation"] = operation, ["com.microsoft:server-timeout"] = (uint)_bus.AnswerTime.TotalMilliseconds },
            };
            Message response = await link.AskAsync(request, _bus.AnswerTime, _bus.Time, cancellationToken);
            int status = response.ApplicationProperties?["statusCode"] as int? ?? 0;
            string? condition = response.ApplicationProperties?["errorCondition"]?.ToString();
            return status switch
            {
                NoContent => [],
                >= 200 and < 300 => response.Body as Map ?? [],
                Gone => null,
                NotFound when condition is "com.microsoft:message-not-found" or "com.microsoft:session-not-found" => null,
                _ => throw new AmqpException(new Error(condition ?? Condition(status)) { Description = response.ApplicationProperties?["statusDescription"] as string ?? $"It answered with status {status}." }),
            };
        }
        catch (Exception fault) when (ServiceBusFault.Knows(fault, cancellationToken))
        {
            throw _bus.Explain(fault, _entity);
        }
    }

    private static string Condition(int status) => status switch
    {
        401 or 403 => "amqp:unauthorized-access",
        NotFound => "amqp:not-found",
        503 => "com.microsoft:server-busy",
        _ => "amqp:internal-error",
    };
}
