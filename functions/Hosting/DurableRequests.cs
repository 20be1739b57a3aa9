using System.Runtime.CompilerServices;
using R1Serverless.OpenAi;
using R1Serverless.Queues;
using R1Serverless.Requests;

namespace R1Serverless.Hosting;

/// <summary>
/// Requests that go through the queue, with what lets clients come back: first the record, then the webhook, then the queue. A process that ends in between has
/// promised nothing yet.
/// </summary>
internal sealed class DurableRequests(OpenQueue queue, QueuedLimit limit, Admission admission, TimeProvider time)
{
    private readonly RequestRecords _records = new(queue.Transport.Store);
    private readonly ResultStore _results = new(queue.Transport.Store);
    private readonly WebhookDeliveries _webhooks = new(queue.Transport.Store);
    private readonly KeyedRequests _keys = new(queue.Transport.Store, time);

    /// <summary>For a client that waits, and takes the request back by hanging up.</summary>
    public Entrance Run(CompletionCall call)
    {
        if (admission.TryEnter(call.Request.Owner, isQueued: true, out ApiError? refusal) is not { } pass) return new Entrance.Refused(refusal!);
        AnswerHead head = AnswerHead.For(call, time);
        return new Entrance.Answering(pass, call, head, stop => LateWorkers.ExplainAsync(admission.RunAsync(pass, call.Request, (request, token) => RunAsync(call, head, request, token), stop), queue.Workers, stop), IsRecorded: true);
    }

    /// <summary>For a client that waits, and may come back when it has been cut off. What takes long is part of the answer's events, so that the client hears of it.</summary>
    public async ValueTask<Entrance> RunAsync(CompletionCall call, string? key, string bodyHash, CancellationToken cancellationToken)
    {
        if (admission.TryEnter(call.Request.Owner, isQueued: true, out ApiError? refusal) is not { } pass) return new Entrance.Refused(refusal!);
        Entrance? entrance = null;
        try
        {
            KeyedRequest known = await _keys.TakeAsync(call, key, bodyHash, cancellationToken);
            if (known.Refusal is { } mismatch) return entrance = new Entrance.Refused(mismatch);
            AnswerHead head = known.IsMine ? known.Head : await HeadAsync(known, cancellationToken);
            bool isRun = known.IsMine;
            return entrance = new Entrance.Answering(
                pass, known.Call, head, stop => LateWorkers.ExplainAsync(RunKeyedAsync(known, pass, () => isRun = true, stop), queue.Workers, stop),
                IsRecorded: true, IsReplayed: !known.IsMine, IsFree: () => !isRun);
        }
        finally
        {
            if (entrance is not Entrance.Answering) pass.Dispose();
        }
    }

    /// <summary>For a client that comes back.</summary>
    public async ValueTask<Entrance> SubmitAsync(CompletionCall call, CallTerms terms, CancellationToken cancellationToken)
    {
        KeyedRequest? known = terms.Key is null ? null : await _keys.FindAsync(call, terms.Key, terms.BodyHash, cancellationToken);
        if (known is null && await limit.AddRequestAsync(call.Request.Owner, cancellationToken) is { } refusal) return new Entrance.Refused(refusal);

        known ??= await _keys.TakeAsync(call, terms.Key, terms.BodyHash, cancellationToken);
        if (known.Refusal is { } mismatch) return new Entrance.Refused(mismatch);
        known = await _keys.SettleAsync(known, waitsForTurns: false, cancellationToken);
        if (!known.IsMine)
        {
            InferenceResult? result = await _results.FindAsync(known.Call.Request.Id, cancellationToken);
            AnswerHead there = await HeadAsync(known, cancellationToken);
            return new Entrance.Deferred(RequestWriter.Write(known.Call.Request.Id, call.Api, there, result), IsReplayed: true);
        }

        await _keys.WhileHeldAsync(known, async () =>
        {
            await KeepAsync(known.Call, known.Head, cancellationToken);
            await queue.Turns.SubmitAsync(known.Call.Request, cancellationToken);
        });
        await _keys.ConfirmAsync(known, cancellationToken);
        return new Entrance.Deferred(RequestWriter.Write(known.Call.Request.Id, call.Api, known.Head, result: null), IsReplayed: false);
    }

    private async IAsyncEnumerable<InferenceEvent> RunAsync(CompletionCall call, AnswerHead head, InferenceRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await KeepAsync(call, head, cancellationToken);
        await foreach (InferenceEvent happened in queue.Gateway.RunAsync(request, cancellationToken)) yield return happened;
    }

    /// <param name="begun">Told when it is this call that enqueues the request.</param>
    private async IAsyncEnumerable<InferenceEvent> RunKeyedAsync(KeyedRequest known, FairLine.Pass pass, Action begun, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        long start = time.GetTimestamp();
        while (true)
        {
            if (await SettleAsync(known, Left(known.Call.Request, start), cancellationToken) is not { } settled)
            {
                yield return Admission.TooLate;
                yield break;
            }

            if (!settled.IsMine)
            {
                await foreach (InferenceEvent happened in queue.Gateway.FollowAsync(Left(settled.Call.Request, start), cancellationToken)) yield return happened;
                yield break;
            }

            bool isEnqueued = false;
            try
            {
                using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                Task<InferenceRequest?> turn = admission.WaitAsync(pass, Left(settled.Call.Request, start), stop.Token).AsTask();
                known = settled = await _keys.HoldAsync(settled, turn);
                if (!settled.IsMine)
                {
                    stop.Cancel();
                    await ((Task)turn).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
                    continue;
                }

                if (await turn is not { } admitted)
                {
                    yield return Admission.TooLate;
                    yield break;
                }

                begun();
                await KeepAsync(settled.Call, settled.Head, cancellationToken);
                IAsyncEnumerable<InferenceEvent> events = queue.Gateway.RunDurablyAsync(admitted, EnqueuedAsync, isShared: settled.Claim is not null, cancellationToken);
                await foreach (InferenceEvent happened in Admission.FollowAsync(pass, events, cancellationToken)) yield return happened;
                yield break;
            }
            finally
            {
                if (!isEnqueued) await _keys.ReleaseAsync(settled);
            }

            async ValueTask EnqueuedAsync(CancellationToken stop)
            {
                isEnqueued = true;
                await _keys.ConfirmAsync(settled, stop);
            }
        }
    }

    /// <summary>Null where the deadline passes first.</summary>
    private async ValueTask<KeyedRequest?> SettleAsync(KeyedRequest known, InferenceRequest request, CancellationToken cancellationToken)
    {
        using CancellationTokenSource late = new(request.Deadline ?? Timeout.InfiniteTimeSpan, time);
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, late.Token);
        try
        {
            return await _keys.SettleAsync(known, waitsForTurns: true, stop.Token);
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>The request with what is left of its deadline.</summary>
    private InferenceRequest Left(InferenceRequest request, long start) => request.Deadline is not { } deadline
        ? request
        : request with { Deadline = deadline - time.GetElapsedTime(start) is { Ticks: > 0 } left ? left : TimeSpan.Zero };

    private async ValueTask KeepAsync(CompletionCall call, AnswerHead head, CancellationToken cancellationToken)
    {
        await _records.AddAsync(RecordedCall.Of(call, head), cancellationToken);
        if (call.Webhook is { } url) await _webhooks.AddAsync(new WebhookDelivery(call.Request.Id.Value, call.Request.Owner, url.AbsoluteUri), cancellationToken);
    }

    /// <summary>As the first answer had it.</summary>
    private async ValueTask<AnswerHead> HeadAsync(KeyedRequest known, CancellationToken cancellationToken) =>
        await _records.FindAsync(known.Call.Request.Owner, known.Call.Request.Id.Value, cancellationToken) is { } record ? RecordedCall.Head(record) : known.Head;
}
