using System.Net;
using System.Security.Cryptography;
using System.Text;
using Amqp;
using Amqp.Framing;
using Amqp.Listener;

namespace R1Serverless.Tests.Azure.Broker;

/// <summary><c>$cbs</c>: a client shows a token for each address first, signed with the shared key or issued to an identity.</summary>
internal sealed class ClaimsNode(StandInBroker broker, BrokerOptions options)
{
    public const string Name = "$cbs";

    private readonly Dictionary<(ListenerConnection, string), DateTime> _shown = [];

    /// <summary>Whether an identity's token is good; all are, unless a test says otherwise.</summary>
    public Func<string, bool> IsGood { get; set; } = _ => true;

    /// <summary>Tokens and addresses, in the order they were shown.</summary>
    public List<(string Token, string Address)> History { get; } = [];

    public bool Allows(ListenerConnection connection, string address) =>
        address == Name || _shown.TryGetValue((connection, address), out var expires) && expires > Now();

    public void Receive(AttachedLink asker, MessageContext request)
    {
        request.Link.DisposeMessage(request.Message, new Accepted(), settled: true);
        var properties = request.Message.ApplicationProperties;
        var token = request.Message.Body as string ?? "";
        var audience = properties["name"] as string ?? "";
        var isGood = properties["operation"] as string == "put-token" && Uri.TryCreate(audience, UriKind.Absolute, out var uri)
            && uri.Scheme is "amqp" or "amqps" or "ws" or "sb"
            && (properties["type"] as string) switch { "jwt" => IsGood(token), "servicebus.windows.net:sastoken" => IsSigned(token), _ => false };
        if (isGood)
        {
            var address = new Uri(audience).AbsolutePath.TrimStart('/');
            _shown[((ListenerConnection)asker.Link.Session.Connection, address)] = properties["expiration"] as DateTime? ?? DateTime.MaxValue;
            History.Add((token, address));
        }

        Message response =
            new()
            {
                ApplicationProperties =
            new ApplicationProperties
            {
                ["status-code"] = isGood ? 202 : 401,
                ["status-description"] = isGood ? "Accepted" : "InvalidIssuer: Token issuer is invalid."
            }
            };
        broker.Respond(asker, request.Message, response);
    }

    private static DateTime Now() => TimeProvider.System.GetUtcNow().UtcDateTime;

    /// <summary>As "Service Bus access control with Shared Access Signatures" has it: of the resource as it is written, and the expiry.</summary>
    private bool IsSigned(string token)
    {
        const string Scheme = "SharedAccessSignature ";
        if (!token.StartsWith(Scheme, StringComparison.Ordinal)) return false;
        var parts = token[Scheme.Length..].Split('&').Select(part => part.Split('=', 2))
            .ToDictionary(part => part[0], part => part[1], StringComparer.Ordinal);
        var signature = HMACSHA256.HashData(Encoding.UTF8.GetBytes(options.Key), Encoding.UTF8.GetBytes($"{parts["sr"]}\n{parts["se"]}"));
        return parts["skn"] == options.KeyName && WebUtility.UrlDecode(parts["sig"]) == Convert.ToBase64String(signature);
    }
}
