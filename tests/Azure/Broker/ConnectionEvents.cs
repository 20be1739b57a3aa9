using System.Net.Sockets;
using Amqp.Handler;

namespace R1Serverless.Tests.Azure.Broker;

/// <summary>Of one listener: the sockets of its connections, and the tags of what it delivers.</summary>
internal sealed class ConnectionEvents(Action<Socket> onAccepted) : IHandler
{
    private readonly LockTokens _tokens = new();

    public bool CanHandle(EventId id) => id == EventId.SocketAccept || _tokens.CanHandle(id);

    public void Handle(Event protocolEvent)
    {
        if (protocolEvent is { Id: EventId.SocketAccept, Context: Socket socket }) onAccepted(socket);
        else _tokens.Handle(protocolEvent);
    }
}
