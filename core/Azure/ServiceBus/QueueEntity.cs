using System.Collections.Concurrent;
using Azure.Messaging.ServiceBus;
using R1Serverless.Storage;

namespace R1Serverless.Azure.ServiceBus;

/// <summary>One queue of the service, or its dead letters. Messages are locked when asked for, and only then: the lock runs from the moment that a
/// message is sent.</summary>
internal sealed class QueueEntity(BusClient bus, string name, BrokerClock clock, SubQueue part = SubQueue.None)
{
    // An empty queue says nothing: how long is waited for an answer where the caller has no patience, and for what stands behind a message that
    // itself has waited.
    private static readonly TimeSpan Least = TimeSpan.FromMilliseconds(100), Quiet = TimeSpan.FromMilliseconds(50),
        HasWaited = TimeSpan.FromMilliseconds(50);

    private readonly ConcurrentDictionary<long, (string LockToken, long Stamp)> _held = new();
    private Links? _links;

    public BusCalls Calls { get; } = new(bus, part == SubQueue.None ? name : $"{name}/$DeadLetterQueue");

    public BrokerClock Clock => clock;

    private Links Current => _links is { } links && links.Sdk == bus.Sdk ? links : _links = Create(bus.Sdk);

    /// <summary>How many messages this process holds.</summary>
    public int Held => _held.Count;

    /// <summary>Whether this process holds a message: peeking shows locked ones among those that wait, and does not tell which they are.</summary>
    public bool Holds(ServiceBusReceivedMessage message) =>
        _held.TryGetValue(message.SequenceNumber, out (string, long Stamp) held) && bus.Time.GetElapsedTime(held.Stamp) < bus.Options.LeaseTime;

    public void Hold(ServiceBusReceivedMessage message) => _held[message.SequenceNumber] = (message.LockToken, bus.Time.GetTimestamp());

    public void Release(ServiceBusReceivedMessage message)
    {
        if (_held.TryGetValue(message.SequenceNumber, out (string LockToken, long) held) && held.LockToken == message.LockToken)
            _held.TryRemove(KeyValuePair.Create(message.SequenceNumber, held));
    }

    /// <summary>Checks that it can be sent to.</summary>
    public ValueTask OpenAsync(CancellationToken cancellationToken) =>
        Calls.RunAsync("attach", async stop => (await Current.Sender.CreateMessageBatchAsync(stop)).Dispose(), cancellationToken);

    /// <summary>In this order. They are in the queue when the task completes; if it fails, some of them may be.</summary>
    public async ValueTask SendAsync(IReadOnlyList<ServiceBusMessage> messages, CancellationToken cancellationToken)
    {
        for (var sent = 0; sent < messages.Count;)
            sent = await Calls.RunAsync("send", stop => SendSomeAsync(messages, sent, stop), cancellationToken);
    }

    /// <summary>Up to <paramref name="most"/> messages: waits for the first (for <see cref="BusCalls.LongestWait"/> at most), and where it has itself
    /// waited for somebody, takes what stands behind it. Several are not asked for at once, since the library would wait for all of them before it
    /// hands over the first, and what comes of the credit that is left, when nobody waits, goes back and forth until it is used up.</summary>
    public async ValueTask<IReadOnlyList<LockedMessage>> ReceiveAsync(int most, TimeSpan patience, CancellationToken cancellationToken)
    {
        var received =
            await TakeAsync(1, patience < Least ? Least : patience > BusCalls.LongestWait ? BusCalls.LongestWait : patience, cancellationToken);
        if (received is not [var first] || most == 1 || clock.Observe(first.Message.LockedUntil) - first.Message.EnqueuedTime < HasWaited)
            return received;
        try
        {
            // Not cancelled: what has been locked is handed over.
            return [first, .. await TakeAsync(most - 1, Quiet, CancellationToken.None)];
        }
        catch (TransportException)
        {
            // It is told of, and the next call tells the caller.
            return received;
        }
    }

    /// <summary>Messages in the order they were enqueued, from a sequence number on, whatever their state: locked ones and ones not yet due are among
    /// them.</summary>
    public ValueTask<IReadOnlyList<ServiceBusReceivedMessage>> PeekAsync(long from, int most, CancellationToken cancellationToken) =>
        Calls.RunAsync("peek", stop => Current.Receiver.PeekMessagesAsync(most, from, stop), cancellationToken);

    /// <summary>False if the lock is lost.</summary>
    public ValueTask<bool> RenewAsync(ServiceBusReceivedMessage message, CancellationToken cancellationToken) =>
        TryAsync("renew a lock", (receiver, stop) => receiver.RenewMessageLockAsync(message, stop), cancellationToken);

    /// <summary>False if the lock is lost. The library says so where only the link was lost too, and asks the queue itself when asked
    /// again.</summary>
    public async ValueTask<bool> SettleAsync(string what, Func<ServiceBusReceiver, CancellationToken, Task> call,
        CancellationToken cancellationToken) =>
        await TryAsync(what, call, cancellationToken) || await TryAsync(what, call, cancellationToken);

    private async ValueTask<IReadOnlyList<LockedMessage>> TakeAsync(int most, TimeSpan wait, CancellationToken cancellationToken)
    {
        var received = await Calls.WaitAsync("receive", wait, stop => Current.Receiver.ReceiveMessagesAsync(most, wait, stop), cancellationToken);
        return [.. received.Select(message => new LockedMessage(this, message, bus.Time.GetTimestamp()))];
    }

    private ValueTask<bool> TryAsync(string what, Func<ServiceBusReceiver, CancellationToken, Task> call, CancellationToken cancellationToken) =>
        Calls.RunAsync(
        what,
        async stop =>
        {
            try
            {
                await call(Current.Receiver, stop);
                return true;
            }
            catch (ServiceBusException lost) when (lost.Reason is ServiceBusFailureReason.MessageLockLost or ServiceBusFailureReason.MessageNotFound)
            {
                return false;
            }
        },
        cancellationToken);

    /// <summary>How many are sent then: as many as the service takes at once.</summary>
    private async Task<int> SendSomeAsync(IReadOnlyList<ServiceBusMessage> messages, int sent, CancellationToken cancellationToken)
    {
        var next = sent;
        if (messages.Count - sent > 1)
        {
            using var batch = await Current.Sender.CreateMessageBatchAsync(cancellationToken);
            while (next < messages.Count && batch.TryAddMessage(messages[next])) next++;
            if (next > sent) await Current.Sender.SendMessagesAsync(batch, cancellationToken);
        }

        // Alone it may fit, or is refused in the service's own words.
        if (next == sent) await Current.Sender.SendMessageAsync(messages[next++], cancellationToken);
        return next;
    }

    private Links Create(ServiceBusClient sdk) =>
        new(sdk, sdk.CreateSender(name), sdk.CreateReceiver(name, new ServiceBusReceiverOptions { SubQueue = part }));

    private sealed record Links(ServiceBusClient Sdk, ServiceBusSender Sender, ServiceBusReceiver Receiver);
}
