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

    /// <summary>For a client that waits, and may come back when it has been cut off.</summary>
    public async ValueTask<Entrance> RunAsync(CompletionCall call, string? key, string bodyHash, CancellationToken cancellationToken)
    {
        if (admission.TryEnter(call.Request.Owner, isQueued: true, out ApiError? refusal) is not { } pass) return new Entrance.Refused(refusal!);
        Entrance? entrance = null;
        try
        {
            // A key is taken when it is the request's turn: whoever has one enqueues at once.
            KeyedRequest? known = key is null ? null : await _keys.FindAsync(call, key, bodyHash, cancellationToken);
            if (known is null)
            {
                if (await admission.WaitAsync(pass, call.Request, cancellationToken) is not { } admitted) return entrance = new Entrance.Refused(TooLate(call));
                known = await _keys.TakeAsync(call with { Request = admitted }, key, bodyHash, cancellationToken);
            }

            return entrance = known switch
            {
                { Refusal: { } mismatch } => new Entrance.Refused(mismatch),
                { IsMine: true } => await BeginAsync(known, pass, cancellationToken),
                _ => new Entrance.Answering(
                    pass, known.Call, await HeadAsync(known.Call, cancellationToken), stop => queue.Gateway.FollowAsync(known.Call.Request.Id, stop), IsRecorded: true, IsReplayed: true),
            };
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
        if (!known.IsMine)
        {
            InferenceResult? result = await _results.FindAsync(known.Call.Request.Id, cancellationToken);
            AnswerHead there = await HeadAsync(known.Call, cancellationToken);
            return new Entrance.Deferred(RequestWriter.Write(known.Call.Request.Id, call.Api, there, result), IsReplayed: true);
        }

        AnswerHead head = AnswerHead.For(known.Call, time);
        await _keys.WhileHeldAsync(known, async () =>
        {
            await KeepAsync(known.Call, head, cancellationToken);
            await queue.Turns.SubmitAsync(known.Call.Request, cancellationToken);
        });
        await _keys.ConfirmAsync(known, cancellationToken);
        return new Entrance.Deferred(RequestWriter.Write(known.Call.Request.Id, call.Api, head, result: null), IsReplayed: false);
    }

    private static ApiError TooLate(CompletionCall call) => ApiError.From(
        new InferenceError(InferenceErrorKind.DeadlineExceeded, "The deadline passed before it was the request's turn."), call.PromptField, call.Request.Id.Value);

    private async IAsyncEnumerable<InferenceEvent> RunAsync(CompletionCall call, AnswerHead head, InferenceRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await KeepAsync(call, head, cancellationToken);
        await foreach (InferenceEvent happened in queue.Gateway.RunAsync(request, cancellationToken)) yield return happened;
    }

    private async ValueTask<Entrance> BeginAsync(KeyedRequest known, FairLine.Pass pass, CancellationToken cancellationToken)
    {
        AnswerHead head = AnswerHead.For(known.Call, time);
        await _keys.WhileHeldAsync(known, () => KeepAsync(known.Call, head, cancellationToken).AsTask());
        return new Entrance.Answering(pass, known.Call, head, stop => LateWorkers.ExplainAsync(Admission.FollowAsync(pass, RunKeyedAsync(known, stop), stop), queue.Workers, stop), IsRecorded: true);
    }

    private async IAsyncEnumerable<InferenceEvent> RunKeyedAsync(KeyedRequest known, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        bool isEnqueued = false;
        try
        {
            await foreach (InferenceEvent happened in queue.Gateway.RunDurablyAsync(known.Call.Request, EnqueuedAsync, cancellationToken)) yield return happened;
        }
        finally
        {
            if (!isEnqueued) await _keys.ReleaseAsync(known);
        }

        async ValueTask EnqueuedAsync(CancellationToken stop)
        {
            isEnqueued = true;
            await _keys.ConfirmAsync(known, stop);
        }
    }

    private async ValueTask KeepAsync(CompletionCall call, AnswerHead head, CancellationToken cancellationToken)
    {
        await _records.AddAsync(RecordedCall.Of(call, head), cancellationToken);
        if (call.Webhook is { } url) await _webhooks.AddAsync(new WebhookDelivery(call.Request.Id.Value, call.Request.Owner, url.AbsoluteUri), cancellationToken);
    }

    /// <summary>As the first answer had it.</summary>
    private async ValueTask<AnswerHead> HeadAsync(CompletionCall call, CancellationToken cancellationToken) =>
        await _records.FindAsync(call.Request.Owner, call.Request.Id.Value, cancellationToken) is { } record ? RecordedCall.Head(record) : AnswerHead.For(call, time);
}
