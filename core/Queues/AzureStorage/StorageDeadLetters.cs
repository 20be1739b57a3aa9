using System.Text.Json;
using System.Text.Json.Serialization;
using Azure.Storage.Queues.Models;

namespace R1Serverless.Queues.AzureStorage;

/// <summary>Storage queues have no place for dead letters: they are messages of a second queue, with the reason and the first message as it was.</summary>
internal sealed class StorageDeadLetters(MessageQueue live, MessageQueue dead, ClaimCheck claims)
{
    // Long enough for one call's worth of letters to be put back one by one.
    private static readonly TimeSpan RedriveLease = TimeSpan.FromMinutes(1);

    public ValueTask CreateAsync(CancellationToken cancellationToken) => dead.CreateAsync(cancellationToken);

    public ValueTask<long> CountAsync(CancellationToken cancellationToken) => dead.CountAsync(cancellationToken);

    /// <summary>Puts a leased message aside; its body stays in the store. False if its lease has been lost.</summary>
    /// <param name="requestId">Null where it can't be read.</param>
    public async ValueTask<bool> MoveAsync(StoredMessage message, string popReceipt, string reason, string? requestId, CancellationToken cancellationToken)
    {
        StorageDeadLetter letter = new(reason, requestId, message.DequeueCount, message.Text);
        ReadOnlyMemory<byte> body = await claims.CheckAsync(JsonSerializer.SerializeToUtf8Bytes(letter, DeadLetterJson.Default.StorageDeadLetter), cancellationToken);
        // Written before the message is removed: a crash between the two leaves both, and the request is put aside once more.
        SendReceipt written = await dead.SendAsync(body, cancellationToken);
        if (await live.RemoveAsync(message.Id, popReceipt, cancellationToken)) return true;
        await dead.RemoveAsync(written.MessageId, written.PopReceipt, cancellationToken);
        return false;
    }

    public async ValueTask<IReadOnlyList<DeadLetter>> PeekAsync(int most, CancellationToken cancellationToken)
    {
        List<DeadLetter> letters = [];
        foreach (StoredMessage message in await dead.PeekAsync(most, cancellationToken))
        {
            (StorageDeadLetter letter, _) = await ReadAsync(message, cancellationToken);
            letters.Add(new DeadLetter(letter.RequestId, letter.Reason, letter.DequeueCount, message.Age));
        }

        return letters;
    }

    /// <summary>How many readable letters, <paramref name="most"/> at most, were put back.</summary>
    public async ValueTask<int> RedriveAsync(int most, CancellationToken cancellationToken)
    {
        int moved = 0;
        Dictionary<string, StoredMessage> held = new(StringComparer.Ordinal);
        try
        {
            while (moved < most)
            {
                IReadOnlyList<StoredMessage> received = await dead.ReceiveAsync(Math.Min(most - moved, MessageQueue.MostPerCall), RedriveLease, cancellationToken);
                bool comeRound = received.Any(message => held.ContainsKey(message.Id));
                foreach (StoredMessage message in received) held[message.Id] = message;
                if (received.Count == 0 || comeRound) break;
                foreach (StoredMessage message in received)
                {
                    if (await PutBackAsync(message, cancellationToken) && held.Remove(message.Id)) moved++;
                }
            }
        }
        finally
        {
            // Also after a cancel: the letters are to be seen again at once.
            foreach (StoredMessage message in held.Values) await dead.ExtendAsync(message.Id, message.PopReceipt, TimeSpan.Zero, CancellationToken.None);
        }

        return moved;
    }

    private async ValueTask<bool> PutBackAsync(StoredMessage message, CancellationToken cancellationToken)
    {
        (StorageDeadLetter letter, ClaimedBody claimed) = await ReadAsync(message, cancellationToken);
        if (letter.RequestId is null) return false;
        await live.SendTextAsync(letter.Text, cancellationToken);
        if (await dead.RemoveAsync(message.Id, message.PopReceipt, cancellationToken)) await claims.ReleaseAsync(claimed, cancellationToken);
        return true;
    }

    private async ValueTask<(StorageDeadLetter Letter, ClaimedBody Claimed)> ReadAsync(StoredMessage message, CancellationToken cancellationToken)
    {
        try
        {
            ClaimedBody claimed = await claims.ClaimAsync(message.Body(), cancellationToken);
            StorageDeadLetter? letter = JsonSerializer.Deserialize(claimed.Body.Span, DeadLetterJson.Default.StorageDeadLetter);
            return (letter ?? throw new MalformedMessageException("it is null"), claimed);
        }
        catch (Exception fault) when (fault is JsonException or MalformedMessageException)
        {
            return (new StorageDeadLetter(fault is MalformedMessageException ? fault.Message : "The dead letter itself can't be read.", null, message.DequeueCount, message.Text), default);
        }
    }
}

/// <param name="Text">The message as it was in its queue.</param>
internal sealed record StorageDeadLetter(string Reason, string? RequestId, int DequeueCount, string Text);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(StorageDeadLetter))]
internal sealed partial class DeadLetterJson : JsonSerializerContext;
