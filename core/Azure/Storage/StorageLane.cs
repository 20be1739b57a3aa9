using Microsoft.Extensions.Logging;
using R1Serverless.Abstractions.Threading;
using R1Serverless.Queues;
using R1Serverless.Storage;

namespace R1Serverless.Azure.Storage;

/// <summary>The requests of one work class and route: their queue, and how often it is asked.</summary>
/// <param name="route">Null where only the queue's name is known.</param>
/// <param name="model">For the operator.</param>
/// <param name="news">Set when something has come to a lane of the class.</param>
internal sealed partial class StorageLane(
    MessageQueue live, RequestRoute? route, string model, StorageDeadLetters dead, AsyncSignal news, ClaimCheck claims, TimeProvider time,
    ILogger log)
{
    public const string ModelMark = "model";

    // As an answer takes: less would only cost money, more would be felt.
    private static readonly TimeSpan MinDelay = TimeSpan.FromMilliseconds(20), MaxDelay = TimeSpan.FromSeconds(1);

    // Of a queue that is not there: the first request to name a precision waits so long, no other.
    private static readonly TimeSpan MissingDelay = TimeSpan.FromSeconds(5);

    private readonly bool _isCommon = route == RequestRoute.Any;
    private long _asked, _seen = -1;
    private volatile bool _isMissing;

    public MessageQueue Live => live;

    public StorageDeadLetters Dead => dead;

    /// <summary>Empty for the queue that all workers ask.</summary>
    public string Model => model;

    public PollDelay Delay { get; } = new(time, MinDelay, MaxDelay, MaxDelay, news);

    /// <summary>Until it is to be asked again.</summary>
    public TimeSpan Left => Delay.Version != Volatile.Read(ref _seen) ? TimeSpan.Zero
        : (_isMissing ? MissingDelay : Delay.Next) - time.GetElapsedTime(Volatile.Read(ref _asked));

    public ValueTask CreateAsync(CancellationToken cancellationToken) => live.CreateAsync(
        _isCommon ? null : new Dictionary<string, string>(StringComparer.Ordinal) { [ModelMark] = Uri.EscapeDataString(model) }, cancellationToken);

    /// <summary>Sends a message, to a queue that is created if it is missing.</summary>
    /// <param name="text">As <see cref="StoredMessage.Text"/>.</param>
    public async ValueTask SendAsync(string text, CancellationToken cancellationToken)
    {
        try
        {
            await live.SendTextAsync(text, cancellationToken);
        }
        catch (TransportException fault) when (MessageQueue.IsGone(fault) && !_isCommon)
        {
            await CreateAsync(cancellationToken);
            await live.SendTextAsync(text, cancellationToken);
        }

        _isMissing = false;
        Delay.Reset();
    }

    /// <summary>Nothing where the queue is missing: workers create those of their models, and leave those of precisions to who needs them.</summary>
    public async ValueTask<IReadOnlyList<StoredMessage>> ReceiveAsync(int most, TimeSpan lease, CancellationToken cancellationToken)
    {
        Volatile.Write(ref _asked, time.GetTimestamp());
        Volatile.Write(ref _seen, Delay.Version);
        try
        {
            var received = await live.ReceiveAsync(most, lease, cancellationToken);
            _isMissing = false;
            if (received.Count > 0) Delay.Reset();
            return received;
        }
        catch (TransportException fault) when (MessageQueue.IsGone(fault) && !_isCommon)
        {
            _isMissing = true;
            if (route is { Precision: null }) await CreateAsync(cancellationToken);
            return [];
        }
    }

    /// <summary>The oldest that wait, 32 at most; none where the queue is missing.</summary>
    public async ValueTask<IReadOnlyList<StoredMessage>> PeekAsync(int most, CancellationToken cancellationToken)
    {
        if (_isMissing) return [];
        try
        {
            return await live.PeekAsync(most, cancellationToken);
        }
        catch (TransportException fault) when (MessageQueue.IsGone(fault) && !_isCommon)
        {
            return [];
        }
    }

    /// <summary>The request that a leased message stands for; null if it can't be read, and has been put aside.</summary>
    /// <param name="since">When the lease was asked for.</param>
    /// <param name="late">Cancelled when the body has taken too long.</param>
    public async ValueTask<StorageLease?> ReadAsync(StoredMessage message, TimeSpan leaseTime, long since, CancellationToken late)
    {
        try
        {
            var claimed = await claims.ClaimAsync(message.Body(), late);
            var request = MessageFormat.ReadRequest(claimed.Body);
            return new StorageLease(this, message, request, claimed with { Body = default }, leaseTime) { Since = since };
        }
        catch (MalformedMessageException fault)
        {
            if (await dead.MoveAsync(live, message, message.PopReceipt, fault.Message, null, CancellationToken.None))
                LogMalformed(live.Name, fault.Message);
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
