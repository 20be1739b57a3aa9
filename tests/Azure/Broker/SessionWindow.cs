using System.Runtime.CompilerServices;
using Amqp;
using Amqp.Framing;

namespace R1Serverless.Tests.Azure.Broker;

/// <summary>
/// Mends what the listener's library reckons: Azure's client offers the largest window there is, and where its flow arrives before a delivery just
/// written has been counted, the sum overflows to a window of nothing. The library would then hold back all that follows until the client says
/// something again, which waits for it.
/// </summary>
internal static class SessionWindow
{
    /// <summary>Lets go what is held back for no reason.</summary>
    public static void Mend(Session session)
    {
        if (Window(session) == 0) OnFlow(session, new Flow { NextIncomingId = 0, IncomingWindow = int.MaxValue });
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "outgoingWindow")]
    private static extern ref uint Window(Session session);

    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "OnFlow")]
    private static extern void OnFlow(Session session, Flow flow);
}
