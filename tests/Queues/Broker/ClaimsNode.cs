using Amqp;
using Amqp.Framing;
using Amqp.Listener;

namespace R1Serverless.Tests.Queues.Broker;

/// <summary><c>$cbs</c>: whoever did not authenticate by SASL shows a token for each address first.</summary>
internal sealed class ClaimsNode(StandInBroker broker)
{
    public const string Name = "$cbs";

    private readonly Dictionary<(ListenerConnection, string), DateTime> _shown = [];

    /// <summary>Whether a token is good; all are, unless a test says otherwise.</summary>
    public Func<string, bool> IsGood { get; set; } = _ => true;

    public Func<DateTime> Now { get; set; } = () => TimeProvider.System.GetUtcNow().UtcDateTime;

    /// <summary>Tokens and addresses, in the order they were shown.</summary>
    public List<(string Token, string Address)> History { get; } = [];

    public bool Allows(ListenerConnection connection, string address) =>
        connection.Principal is not null || address == Name || _shown.TryGetValue((connection, address), out DateTime expires) && expires > Now();

    public void Receive(AttachedLink asker, MessageContext request)
    {
        request.Link.DisposeMessage(request.Message, new Accepted(), settled: true);
        ApplicationProperties properties = request.Message.ApplicationProperties;
        string token = request.Message.Body as string ?? "";
        string audience = properties["name"] as string ?? "";
        bool isGood = properties["operation"] as string == "put-token" && properties["type"] as string == "jwt" && Uri.TryCreate(audience, UriKind.Absolute, out Uri? uri) && uri.Scheme == "sb" && IsGood(token);
        if (isGood)
        {
            string address = new Uri(audience).AbsolutePath.TrimStart('/');
            _shown[((ListenerConnection)asker.Link.Session.Connection, address)] = properties["expiration"] as DateTime? ?? DateTime.MaxValue;
            History.Add((token, address));
        }

        Message response = new() { ApplicationProperties = new ApplicationProperties { ["status-code"] = isGood ? 202 : 401, ["status-description"] = isGood ? "Accepted" : "InvalidIssuer: Token issuer is invalid." } };
        broker.Respond(asker, request.Message, response);
    }
}
