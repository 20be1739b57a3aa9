using Amqp;
using Amqp.Framing;
using Amqp.Types;

namespace R1Serverless.Queues.ServiceBus;

/// <summary>One session of the replies' queue: what it holds is given to nobody else while the link lasts.</summary>
internal static class ReplySession
{
    private static readonly Symbol Filter = "com.microsoft:session-filter", LockedUntil = "com.microsoft:locked-until-utc";

    /// <summary>Messages are taken from the queue as they are sent.</summary>
    public static async Task<ReceivingLink> AcceptAsync(BusConnection bus, string queue, string session, int credit, CancellationToken cancellationToken)
    {
        OpenConnection connection = await bus.GetAsync(cancellationToken);
        await connection.AuthoriseAsync(queue, cancellationToken);
        Attach attach = new()
        {
            Source = new Source { Address = queue, FilterSet = new Map { [Filter] = session } },
            Target = new Target(),
            SndSettleMode = SenderSettleMode.Settled,
        };
        ReceivingLink link = new(connection.NewSession(), attach, bus.Time, credit);
        await link.Attached.WaitAsync(bus.AnswerTime, bus.Time, cancellationToken);
        return link;
    }

    /// <summary>When the lock on a session that nobody else has would end: this is how the service's clock is asked for.</summary>
    public static async ValueTask<DateTime> ProbeAsync(BusConnection bus, string queue, CancellationToken cancellationToken)
    {
        try
        {
            ReceivingLink link = await AcceptAsync(bus, queue, Guid.NewGuid().ToString("N"), credit: 0, cancellationToken);
            Attach answer = await link.Attached;
            await link.CloseAsync();
            return answer.Properties?[LockedUntil] is long ticks ? new DateTime(ticks, DateTimeKind.Utc) : throw new AmqpException("amqp:not-implemented", "The queue has no sessions.");
        }
        catch (Exception fault) when (ServiceBusFault.Knows(fault, cancellationToken))
        {
            throw bus.Explain(fault, queue);
        }
    }
}
