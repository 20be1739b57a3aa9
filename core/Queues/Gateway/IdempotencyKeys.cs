using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Gateway;

/// <summary>What a client's key stands for.</summary>
/// <param name="Id">Of the request.</param>
/// <param name="BodyHash">Of the call that came with the key first.</param>
/// <param name="Created">When that call came, in Unix seconds.</param>
/// <param name="IsEnqueued">False while whoever took the key has yet to enqueue the request, or ended before it did.</param>
/// <param name="IsGivenBack">Whoever took the key could not enqueue the request for all it knows: the next call need not wait for it.</param>
public sealed record IdempotencyEntry(string Id, string BodyHash, long Created, bool IsEnqueued = false, bool IsGivenBack = false);

/// <param name="IsMine">Whether this call took the key, and has to enqueue the request.</param>
/// <param name="Tag">Of the object.</param>
public sealed record IdempotencyClaim(string Name, IdempotencyEntry Entry, string Tag, bool IsMine);

/// <summary>Clients' keys that make several calls one request: <c>idempotency/{owner}/{hash of the key}</c>. Of several calls at one moment one takes
/// the key. A key stands for the same request for as long as it is kept, also when it has been given back: a message that seemed lost may be in the
/// queue all the same, and what is enqueued twice by one id has one result. Only who has the entry's last tag changes it. Every method may throw
/// <see cref="TransportException"/>.</summary>
public sealed class IdempotencyKeys(IObjectStore store)
{
    public const string Folder = "idempotency/";

    /// <summary>Takes the key for a request, or for the one that it was given back for; what it stands for, if another call has it.</summary>
    public async ValueTask<IdempotencyClaim> ClaimAsync(string owner, string key, IdempotencyEntry entry, CancellationToken cancellationToken)
    {
        var name = Name(owner, key);
        while (true)
        {
            if (await store.PutAsync(name, Write(entry), PutCondition.Absent, cancellationToken) is { } tag)
                return new IdempotencyClaim(name, entry, tag, IsMine: true);
            // It may have been purged in between.
            if (await FindAsync(owner, key, cancellationToken) is not { } there) continue;
            if (!there.Entry.IsGivenBack || there.Entry.BodyHash != entry.BodyHash) return there;
            if (await TakeOverAsync(there, cancellationToken) is { } again) return again;
        }
    }

    /// <summary>Null if nobody has the key.</summary>
    public async ValueTask<IdempotencyClaim?> FindAsync(string owner, string key, CancellationToken cancellationToken) =>
        await store.GetAsync(Name(owner, key), cancellationToken) is { } stored
        ? new IdempotencyClaim(Name(owner, key), Read(stored.Content.Span), stored.Tag, IsMine: false) : null;

    /// <summary>How a claim is now. One that has been purged meanwhile is taken again, for the same request.</summary>
    public async ValueTask<IdempotencyClaim> SeeAsync(IdempotencyClaim seen, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (await store.GetAsync(seen.Name, cancellationToken) is { } stored)
                return new IdempotencyClaim(seen.Name, Read(stored.Content.Span), stored.Tag, IsMine: false);
            if (await store.PutAsync(seen.Name, Write(seen.Entry), PutCondition.Absent, cancellationToken) is { } tag)
                return seen with { Tag = tag, IsMine = true };
        }
    }

    /// <summary>Says that the request is in the queue.</summary>
    public async ValueTask ConfirmAsync(IdempotencyClaim claim, CancellationToken cancellationToken) =>
        await store.PutAsync(claim.Name, Write(claim.Entry with { IsEnqueued = true, IsGivenBack = false }), PutCondition.Unchanged(claim.Tag),
            cancellationToken);

    /// <summary>Takes the duty to enqueue from a call that seems to have died with it, or gave it back; null if another did, or it has been done. Who
    /// has the duty shows so that it lives.</summary>
    public async ValueTask<IdempotencyClaim?> TakeOverAsync(IdempotencyClaim seen, CancellationToken cancellationToken) =>
        await store.PutAsync(seen.Name, Write(seen.Entry with { IsGivenBack = false }), PutCondition.Unchanged(seen.Tag),
            cancellationToken) is { } tag ? seen with { Tag = tag, IsMine = true } : null;

    /// <summary>Makes a key stand for another request; null if its entry has changed meanwhile.</summary>
    public async ValueTask<IdempotencyClaim?> ReplaceAsync(IdempotencyClaim seen, IdempotencyEntry entry, CancellationToken cancellationToken) =>
        await store.PutAsync(seen.Name, Write(entry), PutCondition.Unchanged(seen.Tag), cancellationToken) is { } tag
            ? new IdempotencyClaim(seen.Name, entry, tag, IsMine: true)
            : null;

    /// <summary>Gives the duty to enqueue to whoever comes next; nothing where another has it by now.</summary>
    public async ValueTask ReleaseAsync(IdempotencyClaim claim, CancellationToken cancellationToken) =>
        await store.PutAsync(claim.Name, Write(claim.Entry with { IsGivenBack = true }), PutCondition.Unchanged(claim.Tag), cancellationToken);

    internal static IdempotencyEntry Read(ReadOnlySpan<byte> json) => StoredJson.Read(json, GatewayJson.Default.IdempotencyEntry)
        ?? throw new MalformedMessageException("it is no entry of this program");

    private static byte[] Write(IdempotencyEntry entry) => JsonSerializer.SerializeToUtf8Bytes(entry, GatewayJson.Default.IdempotencyEntry);

    private static string Name(string owner, string key) =>
        $"{Folder}{RequestRecords.OwnerFolder(owner)}/{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)))}";
}
