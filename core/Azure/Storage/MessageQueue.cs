using Azure;
using Azure.Storage.Queues;
using Azure.Storage.Queues.Models;
using R1Serverless.Queues;
using R1Serverless.Storage;

namespace R1Serverless.Azure.Storage;

/// <summary>One queue of an account. Bodies travel as Base64; ages are by the service's clock. Every method may throw
/// <see cref="TransportException"/>.</summary>
internal sealed class MessageQueue(QueueServiceClient account, StorageService service, string name)
{
    /// <summary>The service's limit for one call.</summary>
    public const int MaxPerCall = 32;

    /// <summary>What is left of the service's 64 KiB after Base64.</summary>
    public const int MaxBytes = 48 << 10;

    private static readonly TimeSpan Forever = TimeSpan.FromSeconds(-1);

    private readonly QueueClient queue = account.GetQueueClient(name);

    public string Name => name;

    /// <summary>The service's clock when it last answered here.</summary>
    public DateTimeOffset ServiceTime { get; private set; }

    /// <summary>Whether a fault means that there is no such queue (any more).</summary>
    public static bool IsGone(TransportException fault) =>
        fault.InnerException is RequestFailedException { ErrorCode: "QueueNotFound" or "QueueBeingDeleted" };

    /// <summary>Creates it if it is missing.</summary>
    /// <param name="metadata">Of a new one; null for none.</param>
    public ValueTask CreateAsync(IDictionary<string, string>? metadata, CancellationToken cancellationToken) => service.CallAsync(
        async () =>
        {
            // Asked for first, since whoever may only use a queue need not be allowed to create it.
            if (!await queue.ExistsAsync(cancellationToken) && await queue.CreateIfNotExistsAsync(metadata, cancellationToken) is { } created)
                Answered(created);
        },
        cancellationToken);

    public async ValueTask DeleteAsync(CancellationToken cancellationToken) =>
        await service.CallAsync(() => queue.DeleteIfExistsAsync(cancellationToken), cancellationToken);

    public ValueTask MarkAsync(IDictionary<string, string> metadata, CancellationToken cancellationToken) =>
        service.CallAsync(async () => { await queue.SetMetadataAsync(metadata, cancellationToken); }, cancellationToken);

    public ValueTask<SendReceipt> SendAsync(ReadOnlyMemory<byte> body, CancellationToken cancellationToken) =>
        SendTextAsync(Convert.ToBase64String(body.Span), cancellationToken);

    /// <summary>Sends what <see cref="StoredMessage.Text"/> was.</summary>
    public async ValueTask<SendReceipt> SendTextAsync(string text, CancellationToken cancellationToken) =>
        await service.CallAsync(() => queue.SendMessageAsync(text, null, Forever, cancellationToken), cancellationToken);

    public async ValueTask<IReadOnlyList<StoredMessage>> ReceiveAsync(int most, TimeSpan lease, CancellationToken cancellationToken)
    {
        var received =
            await service.CallAsync(() => queue.ReceiveMessagesAsync(most, lease, cancellationToken), cancellationToken);
        var now = Answered(received.GetRawResponse());
        return [.. received.Value.Select(
            one => new StoredMessage(one.MessageId, one.PopReceipt, one.MessageText ?? "", Count(one.DequeueCount), Age(now, one.InsertedOn)))];
    }

    /// <summary>The oldest that nobody has leased, 32 at most.</summary>
    public async ValueTask<IReadOnlyList<StoredMessage>> PeekAsync(int most, CancellationToken cancellationToken)
    {
        var peeked =
            await service.CallAsync(() => queue.PeekMessagesAsync(Math.Clamp(most, 1, MaxPerCall), cancellationToken), cancellationToken);
        var now = Answered(peeked.GetRawResponse());
        return [.. peeked.Value.Select(
            one => new StoredMessage(one.MessageId, "", one.MessageText ?? "", Count(one.DequeueCount), Age(now, one.InsertedOn)))];
    }

    /// <summary>About how many there are, leased ones included.</summary>
    public async ValueTask<long> CountAsync(CancellationToken cancellationToken)
    {
        QueueProperties properties = await service.CallAsync(() => queue.GetPropertiesAsync(cancellationToken), cancellationToken);
        return properties.ApproximateMessagesCountLong;
    }

    /// <summary>Leases the message for a time from now on; its new pop receipt, or null if the lease has been lost.</summary>
    /// <param name="lease">Whole seconds; zero gives the message back.</param>
    public ValueTask<string?> ExtendAsync(string id, string popReceipt, TimeSpan lease, CancellationToken cancellationToken) => service.CallAsync(
        async () =>
        {
            try
            {
                var receipt = await queue.UpdateMessageAsync(id, popReceipt, (string?)null, lease, cancellationToken);
                return receipt.Value.PopReceipt;
            }
            catch (RequestFailedException failed) when (IsLost(failed))
            {
                return null;
            }
        },
        cancellationToken);

    /// <summary>False if the lease has been lost.</summary>
    public ValueTask<bool> RemoveAsync(string id, string popReceipt, CancellationToken cancellationToken) => service.CallAsync(
        async () =>
        {
            try
            {
                await queue.DeleteMessageAsync(id, popReceipt, cancellationToken);
                return true;
            }
            catch (RequestFailedException failed) when (IsLost(failed))
            {
                return false;
            }
        },
        cancellationToken);

    private static bool IsLost(RequestFailedException failed) => failed.ErrorCode == "PopReceiptMismatch" || StorageService.IsMissing(failed);

    private static int Count(long dequeueCount) => (int)Math.Min(dequeueCount, int.MaxValue);

    private static TimeSpan Age(DateTimeOffset now, DateTimeOffset? inserted) => inserted < now ? now - inserted.Value : TimeSpan.Zero;

    private DateTimeOffset Answered(Response response) => ServiceTime = response.Headers.Date ?? ServiceTime;
}

/// <param name="PopReceipt">Proves the lease; empty where there is none.</param>
/// <param name="Age">Since it was inserted.</param>
internal sealed record StoredMessage(string Id, string PopReceipt, string Text, int DequeueCount, TimeSpan Age)
{
    /// <exception cref="MalformedMessageException">It was not written by this program.</exception>
    public ReadOnlyMemory<byte> Body()
    {
        var body = new byte[Text.Length];
        return Convert.TryFromBase64String(Text, body, out var length) ? body.AsMemory(0, length)
            : throw new MalformedMessageException("it is no Base64");
    }
}
