using Microsoft.Extensions.Logging;

namespace R1Serverless.Queues.AzureStorage;

/// <summary>One work class: its queue, its dead letters, and how often it is asked.</summary>
internal sealed partial class StorageLane
{
    // As an answer takes: less would only cost money, more would be felt.
    private static readonly TimeSpan LeastDelay = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan MostDelay = TimeSpan.FromSeconds(1);

    private readonly ClaimCheck claims;
    private readonly ILogger log;

    public StorageLane(StorageClients clients, string name, ClaimCheck claims, TimeProvider time, ILogger log)
    {
        (this.claims, this.log) = (claims, log);
        Live = new MessageQueue(clients.Queues, clients.QueueService, name);
        Dead = new StorageDeadLetters(Live, new MessageQueue(clients.Queues, clients.QueueService, $"{name}-dead"), claims);
        Delay = new PollDelay(time, LeastDelay, MostDelay, MostDelay);
    }

    public MessageQueue Live { get; }

    public StorageDeadLetters Dead { get; }

    public PollDelay Delay { get; }

    public async ValueTask OpenAsync(CancellationToken cancellationToken) =>
        await Task.WhenAll(Live.CreateAsync(cancellationToken).AsTask(), Dead.CreateAsync(cancellationToken).AsTask());

    /// <summary>The request that a leased message stands for; null if it can't be read, and has been put aside.</summary>
    /// <param name="since">When the lease was asked for.</param>
    /// <param name="late">Cancelled when the body has taken too long.</param>
    public async ValueTask<StorageLease?> ReadAsync(StoredMessage message, TimeSpan leaseTime, long since, CancellationToken late)
    {
        try
        {
            ClaimedBody claimed = await claims.ClaimAsync(message.Body(), late);
            return new StorageLease(this, message, MessageFormat.ReadRequest(claimed.Body.Span), claimed with { Body = default }, leaseTime) { Since = since };
        }
        catch (MalformedMessageException fault)
        {
            if (await Dead.MoveAsync(message, message.PopReceipt, fault.Message, null, CancellationToken.None)) LogMalformed(Live.Name, fault.Message);
            return null;
        }
    }

    /// <summary>Deletes the body of a message that is gone. The message's end stands whether or not that succeeds.</summary>
    public async ValueTask ReleaseAsync(ClaimedBody claimed)
    {
        try
        {
            await claims.ReleaseAsync(claimed, CancellationToken.None);
        }
        catch (TransportException fault)
        {
            LogOrphan(claimed.Name, fault.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "A message of queue {Queue} was dead-lettered: {Reason}")]
    private partial void LogMalformed(string queue, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The body {Name} of an ended request is left behind until the purge: {Reason}")]
    private partial void LogOrphan(string? name, string reason);
}
