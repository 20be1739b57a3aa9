using R1Serverless.Abstractions;
using R1Serverless.Api.OpenAI;
using R1Serverless.Queues;
using R1Serverless.Queues.Gateway;
using R1Serverless.Storage;

namespace R1Serverless.Api.Dispatch;

/// <summary>A call as its key makes it: with the id of the request that the key stands for.</summary>
/// <param name="Head">As the call that took the key first has it.</param>
/// <param name="IsMine">Whether this call has to enqueue it.</param>
/// <param name="Claim">Null where the client sent no key.</param>
/// <param name="Refusal">Why the call can't be that request; null if it is.</param>
internal sealed record KeyedRequest(CompletionCall Call, AnswerHead Head, bool IsMine, IdempotencyClaim? Claim = null, ApiError? Refusal = null);

/// <summary>Makes calls with the same <c>Idempotency-Key</c> one request, whichever gateway they come to.</summary>
internal sealed class KeyedRequests(IObjectStore store, TimeProvider time)
{
    /// <summary>A call that has taken a key enqueues its request within this time, shows that it waits for its turn, or has died.</summary>
    public static readonly TimeSpan LongestTaking = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(100), Beat = LongestTaking / 3;

    private readonly IdempotencyKeys _keys = new(store);
    private readonly ResultStore _results = new(store);

    /// <summary>The request that the key stands for already; null if for none, or for one that was refused.</summary>
    public async ValueTask<KeyedRequest?> FindAsync(CompletionCall call, string key, string bodyHash, CancellationToken cancellationToken) =>
        await _keys.FindAsync(call.Request.Owner, key, cancellationToken) is { } there && !await IsFreeAsync(there, cancellationToken)
            ? With(call, key, bodyHash, there)
            : null;

    /// <summary>Makes the key stand for this call, unless another was faster, and was not refused.</summary>
    /// <param name="key">Null where the client sent none.</param>
    public async ValueTask<KeyedRequest> TakeAsync(CompletionCall call, string? key, string bodyHash, CancellationToken cancellationToken)
    {
        var head = AnswerHead.For(call, time);
        if (key is null) return new KeyedRequest(call, head, IsMine: true);
        IdempotencyEntry entry = new(call.Request.Id.Value, bodyHash, head.Created);
        while (true)
        {
            var claim = await _keys.ClaimAsync(call.Request.Owner, key, entry, cancellationToken);
            if (!claim.IsMine && await IsFreeAsync(claim, cancellationToken))
            {
                if (await _keys.ReplaceAsync(claim, entry, cancellationToken) is not { } taken) continue;
                claim = taken;
            }

            return With(call, key, bodyHash, claim);
        }
    }

    /// <summary>Waits until the request of the key is in the queue; takes it over from a call that died before it was, or gave it back.</summary>
    /// <param name="waitsForTurns">False where the request has no turn to wait for: it is taken over from a call that has one as well.</param>
    public async ValueTask<KeyedRequest> SettleAsync(KeyedRequest request, bool waitsForTurns, CancellationToken cancellationToken)
    {
        if (request is not { IsMine: false, Claim: { } seen }) return request;
        var since = time.GetTimestamp();
        while (!seen.Entry.IsEnqueued)
        {
            if ((seen.Entry.IsGivenBack || time.GetElapsedTime(since) >= LongestTaking)
                && await _keys.TakeOverAsync(seen, cancellationToken) is { } taken)
                return request with { IsMine = true, Claim = taken };
            await Task.Delay(LookAgain, time, cancellationToken);
            var tag = seen.Tag;
            seen = await _keys.SeeAsync(seen, cancellationToken);
            if (seen.IsMine) return request with { IsMine = true, Claim = seen };
            // It lives, or another has taken it over: that one has its own time.
            if (waitsForTurns && seen.Tag != tag) since = time.GetTimestamp();
        }

        return request with { Claim = seen };
    }

    /// <summary>Waits for a turn, and shows others with the key that this call does; no longer its own where another has taken it over.</summary>
    /// <param name="turn">Its outcome is the caller's; goes on where the request is no longer its own.</param>
    public async ValueTask<KeyedRequest> HoldAsync(KeyedRequest request, Task turn)
    {
        while (!turn.IsCompleted)
        {
            await turn.WaitAsync(Beat, time, CancellationToken.None)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            if (turn.IsCompleted || request.Claim is not { } claim) continue;
            try
            {
                if (await _keys.TakeOverAsync(claim, CancellationToken.None) is not { } held) return request with { IsMine = false };
                request = request with { Claim = held };
            }
            catch (TransportException)
            {
                // The next beat may come through; else another takes it over.
            }
        }

        return request;
    }

    /// <summary>Does what comes before the queue, and puts it there; if that fails, the next call with the key may.</summary>
    public async ValueTask WhileHeldAsync(KeyedRequest request, Func<Task> work)
    {
        try
        {
            await work();
        }
        catch
        {
            await ReleaseAsync(request);
            throw;
        }
    }

    public async ValueTask ConfirmAsync(KeyedRequest request, CancellationToken cancellationToken)
    {
        if (request.Claim is { } claim) await _keys.ConfirmAsync(claim, cancellationToken);
    }

    /// <summary>Leaves a request that did not reach the queue, for all that is known, to the next call with the key. Where even that fails, a later
    /// call takes it over.</summary>
    public async ValueTask ReleaseAsync(KeyedRequest request)
    {
        if (request.Claim is not { } claim) return;
        try
        {
            await _keys.ReleaseAsync(claim, CancellationToken.None);
        }
        catch (TransportException)
        {
            // A later call takes it over.
        }
    }

    /// <summary>Whether what the key stands for was refused as the client's fault: then it is to be sent again in another form, which is another
    /// call. A call that was refused before it took the key leaves it free as well.</summary>
    private async ValueTask<bool> IsFreeAsync(IdempotencyClaim claim, CancellationToken cancellationToken) =>
        claim.Entry.IsEnqueued && await _results.FindAsync(new RequestId(claim.Entry.Id), cancellationToken) is { Error: { } error }
            && ApiError.From(error, "", "") is
            {
                IsFinal: false, Status: < StatusCodes.Status500InternalServerError and not StatusCodes.Status429TooManyRequests
            };

    private static ApiError Mismatch(string key) => ApiError.WithStatus(
        StatusCodes.Status422UnprocessableEntity,
        $"The Idempotency-Key '{Truncated.Name(key)}' was sent before with another body: use a new key for a new request.", "idempotency_key_reused");

    private KeyedRequest With(CompletionCall call, string key, string bodyHash, IdempotencyClaim claim)
    {
        var its = call with { Request = call.Request with { Id = new RequestId(claim.Entry.Id) } };
        var head = AnswerHead.For(its, time) with { Created = claim.Entry.Created };
        return new KeyedRequest(its, head, claim.IsMine, claim, claim.Entry.BodyHash == bodyHash ? null : Mismatch(key));
    }
}
