using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using R1Serverless.Queues;
using R1Serverless.Storage;

namespace R1Serverless.Azure.Storage;

/// <summary>A queue for each instance, deleted when it is disposed; those of instances that could not are removed by others, see
/// <see cref="ReplyQueues"/>.</summary>
internal sealed partial class StorageReplyChannel : IReplyChannel, IAsyncDisposable
{
    private const int MaxCalls = 4;
    private const int AddressLength = 16;
    private const string AddressCharacters = "abcdefghijklmnopqrstuvwxyz0123456789";

    private static readonly TimeSpan MinDelay = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan MaxDelay = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(1);

    // Longer than messages of one sender overtake each other, shorter than a reader notices.
    private static readonly TimeSpan Window = TimeSpan.FromMilliseconds(500);

    // Messages are removed at once; what is seen again was received in vain.
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<string, Outbox> outboxes = new(StringComparer.Ordinal);
    private readonly ReplyOrder order = new(Window);
    private readonly StorageClients clients;
    private readonly ReplyQueues queues;
    private readonly MessageQueue own;
    private readonly ClaimCheck claims;
    private readonly PollDelay delay;
    private readonly TimeProvider time;
    private readonly ILogger log;
    private readonly string prefix;
    private long marked;
    private bool isAway;
    private bool isOpen;

    public StorageReplyChannel(StorageClients clients, string prefix, ClaimCheck claims, TimeProvider time, ILogger log)
    {
        (this.clients, this.prefix, this.claims, this.time, this.log) = (clients, prefix, claims, time, log);
        own = new MessageQueue(clients.Queues, clients.QueueService, prefix + Address);
        queues = new ReplyQueues(clients, prefix, own, log);
        delay = new PollDelay(time, MinDelay, MaxDelay, Rest);
    }

    public string Address { get; } = RandomNumberGenerator.GetString(AddressCharacters, AddressLength);

    public async ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        await own.CreateAsync(null, cancellationToken);
        isOpen = true;
        await queues.TendAsync(cancellationToken);
        marked = time.GetTimestamp();
    }

    /// <summary>A request has been sent whose replies come here: they are looked for at once.</summary>
    public void Expect() => delay.Reset();

    public async ValueTask SendAsync(string address, IReadOnlyList<Reply> replies, CancellationToken cancellationToken)
    {
        // An address comes out of a message that anybody may have written: it must not name another queue.
        if (replies.Count == 0 || address.Length != AddressLength || address.AsSpan().ContainsAnyExcept(AddressCharacters)) return;
        var outbox =
            outboxes.GetOrAdd(address,
                static (name, channel) => new Outbox(new MessageQueue(channel.clients.Queues, channel.clients.QueueService, channel.prefix + name)),
                this);
        // Numbered before anything is awaited: in the order of the calls.
        byte[][] messages = [.. ReplyMessage.Pack(replies, claims.Limit).Select(outbox.Number)];
        try
        {
            await Task.WhenAll(
                messages.Select(
                async message => await outbox.Queue.SendAsync(await claims.CheckAsync(message, cancellationToken), cancellationToken)));
        }
        catch (TransportException fault) when (MessageQueue.IsGone(fault))
        {
            outboxes.TryRemove(address, out _);
        }
    }

    public async IAsyncEnumerable<Reply> ReceiveAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var calls = 1;
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var received = await PollAsync(calls, cancellationToken);
            calls = received.Count == calls * MessageQueue.MaxPerCall ? Math.Min(calls * 2, MaxCalls) : 1;
            var bodies = await Task.WhenAll(received.Select(message => ReadAsync(message, cancellationToken)));
            var removing = RemoveAsync(received, bodies);
            try
            {
                foreach (var reply in order.Take(Now())) yield return reply;
            }
            finally
            {
                await removing;
            }

            if (received.Count > 0) delay.Reset();
            else await delay.WaitAsync(order.IsWaiting ? MinDelay : Rest, cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!isOpen) return;
        isOpen = false;
        try
        {
            await own.DeleteAsync(CancellationToken.None);
        }
        catch (TransportException fault)
        {
            LogLeft(own.Name, fault.Message);
        }
    }

    private TimeSpan Now() => time.GetElapsedTime(0);

    /// <summary>Nothing where the service is away: asked again after the longest delay.</summary>
    private async ValueTask<IReadOnlyList<StoredMessage>> PollAsync(int calls, CancellationToken cancellationToken)
    {
        try
        {
            var received =
                await Task.WhenAll(
                    Enumerable.Range(0, calls).Select(_ => own.ReceiveAsync(MessageQueue.MaxPerCall, Lease, cancellationToken).AsTask()));
            if (isAway) LogBack(own.Name);
            isAway = false;
            if (time.GetElapsedTime(marked) >= ReplyQueues.TendEvery)
            {
                marked = time.GetTimestamp();
                await queues.TendAsync(cancellationToken);
            }

            return [.. received.SelectMany(messages => messages)];
        }
        catch (TransportException fault)
        {
            if (!isAway) LogAway(own.Name, fault.Message);
            isAway = true;
            if (MessageQueue.IsGone(fault)) await RecreateAsync(cancellationToken);
            await Task.Delay(MaxDelay, time, cancellationToken);
            return [];
        }
    }

    private async ValueTask RecreateAsync(CancellationToken cancellationToken)
    {
        try
        {
            await own.CreateAsync(null, cancellationToken);
        }
        catch (TransportException fault)
        {
            LogAway(own.Name, fault.Message);
        }
    }

    /// <summary>Gives a message to the order of replies; where its body was.</summary>
    private async Task<ClaimedBody> ReadAsync(StoredMessage message, CancellationToken cancellationToken)
    {
        try
        {
            var claimed = await claims.ClaimAsync(message.Body(), cancellationToken);
            var read = ReplyMessage.Read(claimed.Body);
            lock (order) order.Add(read.Sender, read.Number, read.Replies, Now());
            return claimed;
        }
        catch (Exception fault) when (fault is MalformedMessageException or TransportException)
        {
            // Best effort: whoever misses events reads the result.
            LogUnread(own.Name, fault.Message);
            return default;
        }
    }

    private async Task RemoveAsync(IReadOnlyList<StoredMessage> received, ClaimedBody[] bodies)
    {
        try
        {
            await Task.WhenAll(received.Select(async (message, i) =>
            {
                await own.RemoveAsync(message.Id, message.PopReceipt, CancellationToken.None);
                await claims.ReleaseAsync(bodies[i], CancellationToken.None);
            }));
        }
        catch (TransportException fault)
        {
            // They come again and are dropped as duplicates.
            LogUnread(own.Name, fault.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Replies from {Queue} can't be received, and are asked for until they can: {Reason}")]
    private partial void LogAway(string queue, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Replies from {Queue} are received again")]
    private partial void LogBack(string queue);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A message of {Queue} could not be read or removed: {Reason}")]
    private partial void LogUnread(string queue, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The reply queue {Queue} is left behind until another instance removes it: {Reason}")]
    private partial void LogLeft(string queue, string reason);

    /// <summary>Where replies to one address go. Each is a sender of its own, so that numbers begin at 0 whenever one is made.</summary>
    private sealed class Outbox(MessageQueue queue)
    {
        private readonly string sender = RandomNumberGenerator.GetString(AddressCharacters, AddressLength);
        private long next = -1;

        public MessageQueue Queue => queue;

        public byte[] Number(byte[] body) => ReplyMessage.Write(sender, Interlocked.Increment(ref next), body);
    }
}
