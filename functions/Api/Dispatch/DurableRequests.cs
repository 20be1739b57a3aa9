using System.Runtime.CompilerServices;
using R1Serverless.Abstractions;
using R1Serverless.Api.OpenAI;
using R1Serverless.Queues;
using R1Serverless.Queues.Gateway;
using R1Serverless.Queues.Webhooks;
using R1Serverless.Serving;

namespace R1Serverless.Api.Dispatch;

/// <summary>Requests that go through the queue, with what lets clients come back: first the record, then the webhook, then the queue. A process that
/// ends in between has promised nothing yet.</summary>
internal sealed class DurableRequests(TransportRuntime queue, OwnerQuotaCheck limit, RequestAdmission admission, TimeProvider time)
{
    private readonly RequestRecords _records = new(queue.Transport.Store);
    private readonly ResultStore _results = new(queue.Transport.Store);
    private readonly WebhookDeliveries _webhooks = new(queue.Transport.Store);
    private readonly KeyedRequests _keys = new(queue.Transport.Store, time);

    /// <summary>For a client that waits, and takes the request back by hanging up.</summary>
    public DispatchResult Run(CompletionCall call)
    {
        if (admission.TryEnter(call.Request, isQueued: true, out var refusal) is not { } pass) return new DispatchResult.Refused(refusal!);
        var head = AnswerHead.For(call, time);
        return new DispatchResult.Answering(pass, call, head,
            stop => NoWorkerErrorMapper.ExplainAsync(
            admission.RunAsync(pass, call.Request, (request, token) => RunAsync(call, head, request, token), stop), queue.Workers,
            RequestRoute.Of(call.Request), stop),
            IsRecorded: true);
    }

    /// <summary>For a client that waits, and may come back when it has been cut off. What takes long is part of the answer's events, so that the
    /// client hears of it.</summary>
    public async ValueTask<DispatchResult> RunAsync(CompletionCall call, string? key, string bodyHash, CancellationToken cancellationToken)
    {
        if (admission.TryEnter(call.Request, isQueued: true, out var refusal) is not { } pass) return new DispatchResult.Refused(refusal!);
        DispatchResult? result = null;
        try
        {
            var known = await _keys.TakeAsync(call, key, bodyHash, cancellationToken);
            if (known.Refusal is { } mismatch) return result = new DispatchResult.Refused(mismatch);
            var head = known.IsMine ? known.Head : await HeadAsync(known, cancellationToken);
            var isRun = known.IsMine;
            return result = new DispatchResult.Answering(
                pass, known.Call, head,
                stop => NoWorkerErrorMapper.ExplainAsync(
                RunKeyedAsync(known, pass, () => isRun = true, stop), queue.Workers, RequestRoute.Of(call.Request), stop),
                IsRecorded: true, IsReplayed: !known.IsMine, IsFree: () => !isRun);
        }
        finally
        {
            if (result is not DispatchResult.Answering) pass.Dispose();
        }
    }

    /// <summary>For a client that comes back.</summary>
    public async ValueTask<DispatchResult> SubmitAsync(CompletionCall call, CallTerms terms, CancellationToken cancellationToken)
    {
        var known = terms.Key is null ? null : await _keys.FindAsync(call, terms.Key, terms.BodyHash, cancellationToken);
        if (known is null && await limit.AddRequestAsync(call.Request.Owner, cancellationToken) is { } refusal)
            return new DispatchResult.Refused(refusal);

        known ??= await _keys.TakeAsync(call, terms.Key, terms.BodyHash, cancellationToken);
        if (known.Refusal is { } mismatch) return new DispatchResult.Refused(mismatch);
        known = await _keys.SettleAsync(known, waitsForTurns: false, cancellationToken);
        if (!known.IsMine)
        {
            var result = await _results.FindAsync(known.Call.Request.Id, cancellationToken);
            var there = await HeadAsync(known, cancellationToken);
            return new DispatchResult.Deferred(RequestStatusWriter.Write(known.Call.Request.Id, call.Api, there, result), IsReplayed: true);
        }

        await _keys.WhileHeldAsync(known, async () =>
        {
            await KeepAsync(known.Call, known.Head, cancellationToken);
            await queue.Gateway.SubmitAsync(known.Call.Request, WorkClass.Bulk, batch: null, cancellationToken);
        });
        await _keys.ConfirmAsync(known, cancellationToken);
        return new DispatchResult.Deferred(RequestStatusWriter.Write(known.Call.Request.Id, call.Api, known.Head, result: null), IsReplayed: false);
    }

    private async IAsyncEnumerable<InferenceEvent> RunAsync(CompletionCall call, AnswerHead head, InferenceRequest request,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await KeepAsync(call, head, cancellationToken);
        await foreach (var inferenceEvent in queue.Gateway.RunAsync(request, cancellationToken)) yield return inferenceEvent;
    }

    /// <param name="begun">Told when it is this call that enqueues the request.</param>
    private async IAsyncEnumerable<InferenceEvent> RunKeyedAsync(KeyedRequest known, FairAdmissionQueue.Pass pass, Action begun,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Deadline deadline = new(known.Call.Request.Deadline, time);
        while (true)
        {
            var unsettled = known;
            var settling = deadline.WithinAsync<KeyedRequest>(
                async stop => await _keys.SettleAsync(unsettled, waitsForTurns: true, stop), cancellationToken);
            if (await settling is not { } settled)
            {
                yield return RequestAdmission.TooLate;
                yield break;
            }

            if (!settled.IsMine)
            {
                var events = queue.Gateway.FollowAsync(deadline.Rest(settled.Call.Request), cancellationToken);
                await foreach (var inferenceEvent in events) yield return inferenceEvent;
                yield break;
            }

            var isEnqueued = false;
            try
            {
                using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                var turn = RequestAdmission.WaitAsync(pass, settled.Call.Request, deadline, stop.Token).AsTask();
                known = settled = await _keys.HoldAsync(settled, turn);
                if (!settled.IsMine)
                {
                    stop.Cancel();
                    await ((Task)turn).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
                    continue;
                }

                if (await turn is not { } admitted)
                {
                    yield return RequestAdmission.TooLate;
                    yield break;
                }

                begun();
                await KeepAsync(settled.Call, settled.Head, cancellationToken);
                var answer = queue.Gateway.RunDurablyAsync(admitted, EnqueuedAsync, isShared: settled.Claim is not null, cancellationToken);
                await foreach (var inferenceEvent in RequestAdmission.FollowAsync(pass, answer, cancellationToken)) yield return inferenceEvent;
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

    private async ValueTask KeepAsync(CompletionCall call, AnswerHead head, CancellationToken cancellationToken)
    {
        await _records.AddAsync(RequestRecordMapping.Of(call, head), cancellationToken);
        if (call.Webhook is { } url)
            await _webhooks.AddAsync(new WebhookDelivery(call.Request.Id.Value, call.Request.Owner, url.AbsoluteUri), cancellationToken);
    }

    /// <summary>As the first answer had it.</summary>
    private async ValueTask<AnswerHead> HeadAsync(KeyedRequest known, CancellationToken cancellationToken) =>
        await _records.FindAsync(known.Call.Request.Owner, known.Call.Request.Id.Value, cancellationToken) is { } record
        ? RequestRecordMapping.Head(record) : known.Head;
}
