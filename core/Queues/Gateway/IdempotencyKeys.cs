using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace R1Serverless.Queues;

/// <summary>What a client's key stands for.</summary>
/// <param name="Id">Of the request.</param>
/// <param name="BodyHash">Of the call that came with the key first.</param>
/// <param name="IsEnqueued">False while whoever took the key has yet to enqueue the request, or ended before it did.</param>
public sealed record IdempotencyEntry(string Id, string BodyHash, bool IsEnqueued = false);

/// <param name="IsMine">Whether this call took the key, and has to enqueue the request.</param>
/// <param name="Tag">Of the object.</param>
public sealed record IdempotencyClaim(string Name, IdempotencyEntry Entry, string Tag, bool IsMine);

/// <summary>
/// Clients' keys that make several calls one request: <c>idempotency/{owner}/{hash of the key}</c>. Of several calls at one moment one takes the key. Every
/// method may throw <see cref="TransportException"/>.
/// </summary>
public sealed class IdempotencyKeys(IObjectStore store)
{
    public const string Folder = "idempotency/";

    /// <summary>Takes the key for a request; what it stands for, if another call has it.</summary>
    public async ValueTask<IdempotencyClaim> ClaimAsync(string owner, string key, IdempotencyEntry entry, CancellationToken cancellationToken)
    {
        string name = Name(owner, key);
        while (true)
        {
            if (await store.PutAsync(name, Write(entry), PutCondition.Absent, cancellationToken) is { } tag) return new IdempotencyClaim(name, entry, tag, IsMine: true);
            // It may have been given back in between.
            if (await FindAsync(owner, key, cancellationToken) is { } there) return there;
        }
    }

    /// <summary>Null if nobody has the key.</summary>
    public async ValueTask<IdempotencyClaim?> FindAsync(string owner, string key, CancellationToken cancellationToken) =>
        await store.GetAsync(Name(owner, key), cancellationToken) is { } stored ? new IdempotencyClaim(Name(owner, key), Read(stored.Content.Span), stored.Tag, IsMine: false) : null;

    /// <summary>Says that the request is in the queue.</summary>
    public async ValueTask ConfirmAsync(IdempotencyClaim claim, CancellationToken cancellationToken) =>
        await store.PutAsync(claim.Name, Write(claim.Entry with { IsEnqueued = true }), PutCondition.Unchanged(claim.Tag), cancellationToken);

    /// <summary>Takes the duty to enqueue from a call that seems to have died with it; null if another did, or it has been done.</summary>
    public async ValueTask<IdempotencyClaim?> TakeOverAsync(IdempotencyClaim seen, CancellationToken cancellationToken) =>
        await store.PutAsync(seen.Name, Write(seen.Entry), PutCondition.Unchanged(seen.Tag), cancellationToken) is { } tag ? seen with { Tag = tag, IsMine = true } : null;

    /// <summary>Gives a key back whose request was not enqueued.</summary>
    public async ValueTask ReleaseAsync(IdempotencyClaim claim, CancellationToken cancellationToken) => await store.DeleteAsync(claim.Name, cancellationToken);

    internal static IdempotencyEntry Read(ReadOnlySpan<byte> json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, GatewayJson.Default.IdempotencyEntry) ?? throw new MalformedMessageException("the key's entry is null");
        }
        catch (JsonException)
        {
            throw new MalformedMessageException("it is no entry of this program");
        }
    }

    private static byte[] Write(IdempotencyEntry entry) => JsonSerializer.SerializeToUtf8Bytes(entry, GatewayJson.Default.IdempotencyEntry);

    private static string Name(string owner, string key) =>
        $"{Folder}{RequestRecords.OwnerFolder(owner)}/{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)))}";
}
