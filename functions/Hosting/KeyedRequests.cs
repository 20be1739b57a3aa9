using R1Serverless.OpenAi;
using R1Serverless.Queues;
using R1Serverless.Requests;

namespace R1Serverless.Hosting;

/// <summary>A call as its key makes it: with the id of the request that the key stands for.</summary>
/// <param name="IsMine">Whether this call has to enqueue it.</param>
/// <param name="Claim">Null where the client sent no key.</param>
/// <param name="Refusal">Why the call can't be that request; null if it is.</param>
internal sealed record KeyedRequest(CompletionCall Call, bool IsMine, IdempotencyClaim? Claim = null, ApiError? Refusal = null);

/// <summary>Makes calls with the same <c>Idempotency-Key</c> one request, whichever gateway they come to.</summary>
internal sealed class KeyedRequests(IObjectStore store, TimeProvider time)
{
    /// <summary>A call that has taken a key enqueues its request within this time, or has died.</summary>
    public static readonly TimeSpan LongestTaking = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(100);

    private readonly IdempotencyKeys _keys = new(store);

    /// <summary>The request that the key stands for already; null if for none.</summary>
    public async ValueTask<KeyedRequest?> FindAsync(CompletionCall call, string key, string bodyHash, CancellationToken cancellationToken) =>
        await _keys.FindAsync(call.Request.Owner, key, cancellationToken) is { } there ? await SettleAsync(call, key, bodyHash, there, cancellationToken) : null;

    /// <summary>Makes the key stand for this call, unless another was faster.</summary>
    /// <param name="key">Null where the client sent none.</param>
    public async ValueTask<KeyedRequest> TakeAsync(CompletionCall call, string? key, string bodyHash, CancellationToken cancellationToken)
    {
        if (key is null) return new KeyedRequest(call, IsMine: true);
        IdempotencyClaim claim = await _keys.ClaimAsync(call.Request.Owner, key, new IdempotencyEntry(call.Request.Id.Value, bodyHash), cancellationToken);
        return await SettleAsync(call, key, bodyHash, claim, cancellationToken);
    }

    /// <summary>Does what comes before the queue; if it fails, the key is free again.</summary>
    public async ValueTask WhileHeldAsync(KeyedRequest request, Func<Task> work)
    {
        bool isDone = false;
        try
        {
            await work();
            isDone = true;
        }
        finally
        {
            if (!isDone) await ReleaseAsync(request);
        }
    }

    public async ValueTask ConfirmAsync(KeyedRequest request, CancellationToken cancellationToken)
    {
        if (request.Claim is { } claim) await _keys.ConfirmAsync(claim, cancellationToken);
    }

    /// <summary>Frees the key of a request that did not reach the queue. Where even that fails, a later call takes the request over.</summary>
    public async ValueTask ReleaseAsync(KeyedRequest request)
    {
        if (request.Claim is not { } claim) return;
        try
        {
            await _keys.ReleaseAsync(claim, CancellationToken.None);
        }
        catch (TransportException)
        {
            // As said.
        }
    }

    private static KeyedRequest With(CompletionCall call, IdempotencyClaim claim) =>
        new(call with { Request = call.Request with { Id = new RequestId(claim.Entry.Id) } }, claim.IsMine, claim);

    private static ApiError Mismatch(string key) => ApiError.WithStatus(
        StatusCodes.Status422UnprocessableEntity, $"The Idempotency-Key '{Shortened.Name(key)}' was sent before with another body: use a new key for a new request.", "idempotency_key_reused");

    /// <summary>Waits until the request of the key is in the queue; takes it over from a call that died before it was.</summary>
    private async ValueTask<KeyedRequest> SettleAsync(CompletionCall call, string key, string bodyHash, IdempotencyClaim seen, CancellationToken cancellationToken)
    {
        IdempotencyClaim? claim = seen;
        long since = time.GetTimestamp();
        while (claim is { IsMine: false } other)
        {
            if (other.Entry.BodyHash != bodyHash) return new KeyedRequest(call, IsMine: false, Refusal: Mismatch(key));
            if (other.Entry.IsEnqueued) break;
            if (time.GetElapsedTime(since) >= LongestTaking && await _keys.TakeOverAsync(other, cancellationToken) is { } taken) return With(call, taken);
            await Task.Delay(LookAgain, time, cancellationToken);
            claim = await _keys.FindAsync(call.Request.Owner, key, cancellationToken);
            // Another may have taken it over: it has its own time.
            if (claim?.Tag != other.Tag) since = time.GetTimestamp();
        }

        // Given back in between: the first to come takes it.
        return claim is null ? await TakeAsync(call, key, bodyHash, cancellationToken) : With(call, claim);
    }
}
