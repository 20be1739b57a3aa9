using System.Runtime.CompilerServices;
using Amqp;
using Amqp.Types;
using Microsoft.Extensions.Logging;

namespace R1Serverless.Queues.ServiceBus;

/// <summary>
/// Replies through one queue with sessions, made beforehand, so that gateways need no right to create entities: a gateway's address is a session's id. Replies are taken from the
/// queue as they are sent, and those for a gateway that is gone expire.
/// </summary>
internal sealed partial class ServiceBusReplies : IReplyChannel
{
    // Messages on the way or not read yet; at most a quarter of a megabyte each.
    private const int Credit = 64;

    private readonly BusConnection _bus;
    private readonly ServiceBusOptions _options;
    private readonly ClaimCheck _bodies;
    private readonly string _queue;
    private readonly ILogger _log;
    private readonly EntitySender _sender;
    private readonly EntityManagement _management;

    public ServiceBusReplies(BusConnection bus, ServiceBusOptions options, string queue, ClaimCheck bodies, ILogger log)
    {
        _bus = bus;
        _options = options;
        _bodies = bodies;
        _queue = queue;
        _log = log;
        _sender = new EntitySender(bus, queue);
        _management = new EntityManagement(bus, queue);
    }

    public string Address { get; } = Guid.NewGuid().ToString("N");

    /// <summary>Checks that the queue is there. Who may only receive from it is a gateway, and may be.</summary>
    public async ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _sender.OpenAsync(cancellationToken);
        }
        catch (TransportException fault) when (fault.InnerException is AmqpException { Error: { } error } && error.Condition.Equals((Symbol)"amqp:unauthorized-access"))
        {
            LogReceiveOnly(_queue);
        }
    }

    public async ValueTask SendAsync(string address, IReadOnlyList<Reply> replies, CancellationToken cancellationToken)
    {
        ReadOnlyMemory<byte> body = await _bodies.CheckAsync(MessageFormat.Write(replies), cancellationToken);
        await _sender.SendAsync([WireMessage.ToSession(body, address, _options.ReplyAge)], cancellationToken);
    }

    public async IAsyncEnumerable<Reply> ReceiveAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ReceivingLink? link = null;
        long renewed = 0;
        int failures = 0;
        try
        {
            while (true)
            {
                LockedMessage? message = null;
                try
                {
                    if (link is null)
                    {
                        link = await ReplySession.AcceptAsync(_bus, _queue, Address, Credit, cancellationToken);
                        renewed = _bus.Time.GetTimestamp();
                        failures = 0;
                    }

                    TimeSpan untilRenewal = _options.LeaseTime / 2 - _bus.Time.GetElapsedTime(renewed);
                    if (untilRenewal <= TimeSpan.Zero)
                    {
                        await _management.RenewSessionAsync(Address, cancellationToken);
                        renewed = _bus.Time.GetTimestamp();
                    }
                    else if (await link.ArrivesAsync(untilRenewal, cancellationToken))
                    {
                        link.TryTake(out message);
                    }
                }
                catch (Exception fault) when (fault is TransportException || ServiceBusFault.Knows(fault, cancellationToken))
                {
                    LogLost(fault, _queue);
                    if (link is not null) await link.CloseAsync();
                    link = null;
                    await Task.Delay(Backoff.Transport.After(++failures, Random.Shared.NextDouble()), _bus.Time, cancellationToken);
                }

                if (message is null) continue;
                foreach (Reply reply in await ReadAsync(message, cancellationToken)) yield return reply;
            }
        }
        finally
        {
            if (link is not null) await link.CloseAsync();
        }
    }

    private async ValueTask<IReadOnlyList<Reply>> ReadAsync(LockedMessage message, CancellationToken cancellationToken)
    {
        message.Forget((link, delivery) => link.Accept(delivery));
        try
        {
            ClaimedBody body = await _bodies.ClaimAsync(WireMessage.Body(message.Message), cancellationToken);
            IReadOnlyList<Reply> replies = MessageFormat.ReadReplies(body.Body.Span);
            await _bodies.ReleaseAsync(body, cancellationToken);
            return replies;
        }
        catch (Exception fault) when (fault is MalformedMessageException or TransportException)
        {
            // The gap shows to whoever follows the request.
            LogUnread(fault, _queue);
            return [];
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "This process may not send to the queue {Queue}: as a worker it could send no replies")]
    private partial void LogReceiveOnly(string queue);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Receiving from the queue {Queue} broke off; it is tried again")]
    private partial void LogLost(Exception fault, string queue);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A message of the queue {Queue} could not be read")]
    private partial void LogUnread(Exception fault, string queue);
}
