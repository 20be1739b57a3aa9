using Amqp;
using Amqp.Framing;
using Amqp.Listener;
using Amqp.Types;

namespace R1Serverless.Tests.Azure.Broker;

/// <summary><c>{entity}/$management</c>: locks, settlement and peeking by request and response.</summary>
internal sealed class ManagementNode(StandInBroker broker)
{
    public const string Name = "$management";

    private static readonly Answer LockLost = new(410, Condition: "com.microsoft:message-lock-lost");

    public void Receive(BrokerQueue queue, AttachedLink asker, MessageContext request)
    {
        request.Link.DisposeMessage(request.Message, new Accepted(), settled: true);
        var body = request.Message.Body as Map ?? [];
        var operation = request.Message.ApplicationProperties?["operation"] as string;
        var answer = operation switch
        {
            "com.microsoft:renew-lock" => Renew(queue, body),
            "com.microsoft:renew-session-lock" =>
                queue.RenewSession((string)body["session-id"]) is { } until ? new Answer(200, new Map { ["expiration"] = until })
                : new Answer(410, Condition: "com.microsoft:session-lock-lost"),
            "com.microsoft:update-disposition" => Settle(queue, body),
            "com.microsoft:peek-message" => Peek(queue, body),
            _ => new Answer(400, Condition: "amqp:not-implemented"),
        };
        Message response = new()
        {
            ApplicationProperties = new ApplicationProperties { ["statusCode"] = answer.Status, ["statusDescription"] = answer.Condition ?? "OK" },
            BodySection = new AmqpValue { Value = answer.Body ?? [] },
        };
        if (answer.Condition is { } condition) response.ApplicationProperties["errorCondition"] = new Symbol(condition);
        broker.Respond(asker, request.Message, response);
        broker.Dispatch();
    }

    private static Answer Renew(BrokerQueue queue, Map body)
    {
        List<DateTime> ends = [];
        foreach (var token in (Guid[])body["lock-tokens"])
        {
            if (queue.Renew(token) is not { } end) return LockLost;
            ends.Add(end);
        }

        return new Answer(200, new Map { ["expirations"] = ends.ToArray() });
    }

    private static Answer Settle(BrokerQueue queue, Map body)
    {
        foreach (var token in (Guid[])body["lock-tokens"])
        {
            var held = body["disposition-status"] switch
            {
                "completed" => queue.Complete(token),
                "abandoned" => queue.Abandon(token),
                "suspended" => queue.DeadLetter(token, DeadLetterProperties(body)),
                _ => false,
            };
            if (!held) return LockLost;
        }

        return new Answer(200);
    }

    private static IEnumerable<KeyValuePair<string, object>> DeadLetterProperties(Map body)
    {
        yield return new("DeadLetterReason", body["deadletter-reason"] as string ?? "");
        yield return new("DeadLetterErrorDescription", body["deadletter-description"] as string ?? "");
        foreach (var property in body["properties-to-modify"] as Map ?? []) yield return new((string)property.Key, property.Value);
    }

    private static Answer Peek(BrokerQueue queue, Map body)
    {
        Map[] messages =
            [.. queue.Peek((long)body["from-sequence-number"], (int)body["message-count"])
                .Select(message => new Map { ["message"] = BrokerMessage.Bytes(message.ToMessage(isPeeked: true)) })];
        return messages.Length == 0 ? new Answer(204) : new Answer(200, new Map { ["messages"] = messages.ToList() });
    }

    private sealed record Answer(int Status, Map? Body = null, string? Condition = null);
}
