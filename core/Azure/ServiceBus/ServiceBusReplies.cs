using System.Runtime.CompilerServices;
using Azure.Messaging.ServiceBus;
using Microsoft.Extensions.Logging;
using R1Serverless.Queues;
using R1Serverless.Storage;

namespace R1Serverless.Azure.ServiceBus;

/// <summary>Replies through one queue with sessions, made beforehand, so that gateways need no right to create entities: a gateway's address is a
/// session's id. Replies are taken from the queue as they are sent, and those for a gateway that is gone expire.</summary>
internal sealed partial class ServiceBusReplies(BusClient bus, string queue, QueueEntity entity, ClaimCheck bodies) : IReplyChannel
{
    // Messages on the way or not read yet; at most a quarter of a megabyte each.
    private static readonly ServiceBusSessionReceiverOptions TakenAsSent =
        new() { ReceiveMode = ServiceBusReceiveMode.ReceiveAndDelete, PrefetchCount = 64 };

    private readonly ILogger log = bus.Log;
    private readonly TransportRetry retry = new(bus.Time, bus.Log);

    public string Address { get; } = Guid.NewGuid().ToString("N");

    /// <summary>Checks that the queue is there. Who may only receive from it is a gateway, and may be.</summary>
    public async ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        try
        {
            await entity.OpenAsync(cancellationToken);
        }
        catch (TransportException fault) when (fault.InnerException is UnauthorizedAccessException)
        {
            LogReceiveOnly(queue);
        }
    }

    /// <summary>When the lock on a session that nobody else has would end: this is how the service's clock is asked for.</summary>
    public ValueTask<DateTimeOffset> ProbeAsync(CancellationToken cancellationToken) => entity.Calls.RunAsync(
        "ask for the time",
        async stop =>
        {
            await using var session = await bus.Sdk.AcceptSessionAsync(queue, Guid.NewGuid().ToString("N"), cancellationToken: stop);
            return session.SessionLockedUntil;
        },
        cancellationToken);

    public async ValueTask SendAsync(string address, IReadOnlyList<Reply> replies, CancellationToken cancellationToken)
    {
        var message = BusMessage.Of(await bodies.CheckAsync(MessageFormat.Write(replies), cancellationToken));
        message.SessionId = address;
        message.TimeToLive = bus.Options.ReplyAge;
        await entity.SendAsync([message], cancellationToken);
    }

    public async IAsyncEnumerable<Reply> ReceiveAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ServiceBusSessionReceiver? session = null;
        long renewed = 0;
        var failures = 0;
        try
        {
            while (true)
            {
                IReadOnlyList<ServiceBusReceivedMessage> messages = [];
                try
                {
                    if (session is null)
                    {
                        session = await entity.Calls.RunAsync("accept this gateway's session",
                            stop => bus.Sdk.AcceptSessionAsync(queue, Address, TakenAsSent, stop), cancellationToken);
                        renewed = bus.Time.GetTimestamp();
                        failures = 0;
                    }

                    var untilRenewal = (bus.Options.LeaseTime / 2) - bus.Time.GetElapsedTime(renewed);
                    if (untilRenewal <= TimeSpan.Zero)
                    {
                        await entity.Calls.RunAsync("renew this gateway's session", stop => session.RenewSessionLockAsync(stop), cancellationToken);
                        renewed = bus.Time.GetTimestamp();
                    }
                    else
                    {
                        // One at a time: a link that is short of what was asked for is drained first, and those on the way are here already.
                        var wait = untilRenewal < BusCalls.LongestWait ? untilRenewal : BusCalls.LongestWait;
                        messages = await entity.Calls.WaitAsync("receive replies", wait, stop => session.ReceiveMessagesAsync(1, wait, stop),
                            cancellationToken);
                    }
                }
                catch (TransportException fault)
                {
                    if (session is not null) _ = bus.CloseAsync(session).AsTask();
                    session = null;
                    await retry.PauseAsync("receive replies", ++failures, fault, cancellationToken);
                }

                foreach (var message in messages)
                {
                    foreach (var reply in await ReadAsync(message, cancellationToken)) yield return reply;
                }
            }
        }
        finally
        {
            if (session is not null) await bus.CloseAsync(session);
        }
    }

    private async ValueTask<IReadOnlyList<Reply>> ReadAsync(ServiceBusReceivedMessage message, CancellationToken cancellationToken)
    {
        try
        {
            var body = await bodies.ClaimAsync(BusMessage.Body(message), cancellationToken);
            var replies = MessageFormat.ReadReplies(body.Body);
            await bodies.ReleaseAsync(body, cancellationToken);
            return replies;
        }
        catch (Exception fault) when (fault is MalformedMessageException or TransportException)
        {
            // The gap shows to whoever follows the request.
            LogUnread(fault, queue);
            return [];
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "This process may not send to the queue {Queue}: as a worker it could send no replies")]
    private partial void LogReceiveOnly(string queue);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A message of the queue {Queue} could not be read")]
    private partial void LogUnread(Exception fault, string queue);
}
