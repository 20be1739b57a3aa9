using System.Text.Json;
using System.Text.Json.Serialization;
using R1Serverless.Queues;

namespace R1Serverless.Azure.Storage;

/// <summary>Storage queues have no place for dead letters: they are messages of a second queue, with the reason and the first message as it
/// was.</summary>
/// <param name="lane">The lane that a letter came from, by its queue's name; null where the letter does not say.</param>
internal sealed class StorageDeadLetters(MessageQueue dead, ClaimCheck claims, Func<string?, StorageLane> lane)
{
    // Long enough for one call's worth of letters to be put back one by one.
    private static readonly TimeSpan RedriveLease = TimeSpan.FromMinutes(1);

    public string Name => dead.Name;

    public ValueTask CreateAsync(CancellationToken cancellationToken) => dead.CreateAsync(null, cancellationToken);

    public ValueTask<long> CountAsync(CancellationToken cancellationToken) => dead.CountAsync(cancellationToken);

    /// <summary>Puts a leased message aside; its body stays in the store. False if its lease has been lost.</summary>
    /// <param name="live">The queue that the message is in.</param>
    /// <param name="requestId">Null where it can't be read.</param>
    public async ValueTask<bool> MoveAsync(
        MessageQueue live, StoredMessage message, string popReceipt, string reason, string? requestId, CancellationToken cancellationToken)
    {
        StorageDeadLetter letter = new(reason, requestId, message.DequeueCount, message.Text, live.Name);
        var body = await claims.CheckAsync(JsonSerializer.SerializeToUtf8Bytes(letter, DeadLetterJson.Default.StorageDeadLetter), cancellationToken);
        // Written before the message is removed: a crash between the two leaves both, and the request is put aside once more.
        var written = await dead.SendAsync(body, cancellationToken);
        if (await live.RemoveAsync(message.Id, popReceipt, cancellationToken)) return true;
        await dead.RemoveAsync(written.MessageId, written.PopReceipt, cancellationToken);
        return false;
    }

    public async ValueTask<IReadOnlyList<DeadLetter>> PeekAsync(int most, CancellationToken cancellationToken)
    {
        List<DeadLetter> letters = [];
        foreach (var message in await dead.PeekAsync(most, cancellationToken))
        {
            (var letter, _) = await ReadAsync(message, cancellationToken);
            letters.Add(new DeadLetter(letter.RequestId, letter.Reason, letter.DequeueCount, message.Age));
        }

        return letters;
    }

    /// <summary>How many readable letters, <paramref name="most"/> at most, were put back.</summary>
    public async ValueTask<int> RedriveAsync(int most, CancellationToken cancellationToken)
    {
        var moved = 0;
        Dictionary<string, StoredMessage> held = new(StringComparer.Ordinal);
        try
        {
            while (moved < most)
            {
                var received = await dead.ReceiveAsync(Math.Min(most - moved, MessageQueue.MaxPerCall), RedriveLease, cancellationToken);
                var comeRound = received.Any(message => held.ContainsKey(message.Id));
                foreach (var message in received) held[message.Id] = message;
                if (received.Count == 0 || comeRound) break;
                foreach (var message in received)
                {
                    if (await PutBackAsync(message, cancellationToken) && held.Remove(message.Id)) moved++;
                }
            }
        }
        finally
        {
            // Also after a cancel: the letters are to be seen again at once.
            foreach (var message in held.Values) await dead.ExtendAsync(message.Id, message.PopReceipt, TimeSpan.Zero, CancellationToken.None);
        }

        return moved;
    }

    private async ValueTask<bool> PutBackAsync(StoredMessage message, CancellationToken cancellationToken)
    {
        (var letter, var claimed) = await ReadAsync(message, cancellationToken);
        if (letter.RequestId is null) return false;
        await lane(letter.Queue).SendAsync(letter.Text, cancellationToken);
        if (await dead.RemoveAsync(message.Id, message.PopReceipt, cancellationToken)) await claims.ReleaseAsync(claimed, cancellationToken);
        return true;
    }

    private async ValueTask<(StorageDeadLetter Letter, ClaimedBody Claimed)> ReadAsync(StoredMessage message, CancellationToken cancellationToken)
    {
        try
        {
            var claimed = await claims.ClaimAsync(message.Body(), cancellationToken);
            var letter = JsonSerializer.Deserialize(claimed.Body.Span, DeadLetterJson.Default.StorageDeadLetter);
            return (letter ?? throw new MalformedMessageException("it is null"), claimed);
        }
        catch (Exception fault) when (fault is JsonException or MalformedMessageException)
        {
            return (new StorageDeadLetter(fault is MalformedMessageException ? fault.Message : "The dead letter itself can't be read.", null,
                message.DequeueCount, message.Text, null), default);
        }
    }
}

/// <param name="Text">The message as it was in its queue.</param>
/// <param name="Queue">That queue's name.</param>
internal sealed record StorageDeadLetter(string Reason, string? RequestId, int DequeueCount, string Text, string? Queue);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(StorageDeadLetter))]
internal sealed partial class DeadLetterJson : JsonSerializerContext;
