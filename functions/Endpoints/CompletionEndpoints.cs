using Microsoft.Extensions.Primitives;
using R1Serverless.Hosting;
using R1Serverless.OpenAi;
using R1Serverless.Requests;

namespace R1Serverless.Endpoints;

/// <summary>POST /v1/chat/completions and /v1/completions: validate, run, and answer as JSON, as a stream, or with the place to come back to.</summary>
internal sealed class CompletionEndpoints(Serving serving, ServeOptions options, RequestDoor door, EventStream stream, TokenMeter meter, PrewarmPass prewarm, TimeProvider time)
{
    /// <summary>The id under which the client may come back.</summary>
    public const string RequestHeader = "x-r1-request-id";

    /// <summary>The answer is an earlier call's with the same key.</summary>
    public const string ReplayedHeader = "idempotency-replayed";

    private static readonly TimeSpan RetryLater = TimeSpan.FromSeconds(2);

    public async Task AnswerAsync(HttpContext context, CompletionApi api)
    {
        using Serving.InFlight? entered = prewarm.Of(context.Request) is { } own ? serving.TryEnter(own) : serving.TryEnter();
        if (entered is null)
        {
            await ErrorAnswers.WriteAsync(context, serving.Phase == ServingPhase.Draining
                ? ApiError.Unavailable("The server is shutting down.", "draining", RetryLater)
                : ApiError.Unavailable(options.Role == ServeRole.Gateway ? "The gateway has not reached its queue yet." : "The models are still loading.", "loading", RetryLater));
            return;
        }

        FaultSlot faults = new();
        if (await ReadAsync(context.Request, api, faults) is not var (call, terms))
        {
            await ErrorAnswers.WriteAsync(context, faults.First ?? ApiError.Invalid("The body is not understood."));
            return;
        }

        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, serving.Abort);
        try
        {
            await AnswerAsync(context, await door.EnterAsync(call, terms, entered.Inference, stop.Token), stop.Token);
        }
        catch (OperationCanceledException) when (serving.Abort.IsCancellationRequested && !context.Response.HasStarted)
        {
            await ErrorAnswers.WriteAsync(context, ApiError.Unavailable("The server shut down before the answer was complete.", "draining", RetryLater));
        }
    }

    private async Task AnswerAsync(HttpContext context, Entrance entrance, CancellationToken stop)
    {
        switch (entrance)
        {
            case Entrance.Refused refused:
                await ErrorAnswers.WriteAsync(context, refused.Error);
                break;
            case Entrance.Deferred deferred:
                SetRequest(context, deferred.Answer.Id, deferred.IsReplayed);
                context.Response.Headers.Location = RequestEndpoints.Path + deferred.Answer.Id;
                context.Response.Headers["Preference-Applied"] = CallTermsReader.RespondAsync;
                await JsonAnswers.WriteAsync(context, StatusCodes.Status202Accepted, deferred.Answer, WireJson.Relaxed.RequestAnswer);
                break;
            case Entrance.Answering answering:
                using (answering.Pass)
                {
                    if (answering.IsRecorded) SetRequest(context, answering.Call.Request.Id.Value, answering.IsReplayed);
                    // An answer that is told again costs nothing again.
                    IAsyncEnumerable<InferenceEvent> told = meter.Follow(context, answering.Run(stop), answering.IsFree, stop);
                    await using IAsyncEnumerator<InferenceEvent> events = told.GetAsyncEnumerator(stop);
                    await AnswerAsync(context, answering.Call, answering.Head, events, stop);
                }

                break;
        }
    }

    private async Task AnswerAsync(HttpContext context, CompletionCall call, AnswerHead head, IAsyncEnumerator<InferenceEvent> events, CancellationToken stop)
    {
        if (call.Stream)
        {
            await StreamAsync(context, call, head, events, stop);
            return;
        }

        ResultFold fold = new(call.Request.Id);
        while (await events.MoveNextAsync())
        {
            if (events.Current is InferenceEvent.Failed failed)
            {
                await WriteFailureAsync(context, call, failed);
                return;
            }

            if (events.Current is InferenceEvent.Admitted admitted) VariantHeader.Set(context.Response, admitted.Variant);
            fold.Add(events.Current);
        }

        if (!fold.IsComplete) throw new InvalidOperationException("The engine's events ended without Finished.");
        InferenceResult result = fold.Result();
        if (call.Api == CompletionApi.Chat) await JsonAnswers.WriteAsync(context, StatusCodes.Status200OK, AnswerWriter.Chat(result, head), WireJson.Relaxed.ChatAnswer);
        else await JsonAnswers.WriteAsync(context, StatusCodes.Status200OK, AnswerWriter.Text(result, head), WireJson.Relaxed.TextAnswer);
    }

    /// <summary>The first event decides the status, if it comes before the first heartbeat is due. A request that waits longer, for a model to load or for others to
    /// make room, gets its stream at once, and in it whatever comes.</summary>
    private async Task StreamAsync(HttpContext context, CompletionCall call, AnswerHead head, IAsyncEnumerator<InferenceEvent> events, CancellationToken stop)
    {
        Task<bool> first = events.MoveNextAsync().AsTask();
        // Not cut short by the token, which ends the move itself: an enumerator must not be disposed in the middle of one.
        Task settled = first.WaitAsync(EventStream.HeartbeatInterval, time);
        await settled.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (first.IsCompleted)
        {
            if (!await first) throw new InvalidOperationException("The engine gave no event.");
            if (events.Current is InferenceEvent.Admitted admitted) VariantHeader.Set(context.Response, admitted.Variant);
            if (events.Current is InferenceEvent.Failed refused)
            {
                await WriteFailureAsync(context, call, refused);
                return;
            }
        }

        await stream.WriteAsync(context, call, head, events, first, stop);
    }

    private async Task<(CompletionCall Call, CallTerms Terms)?> ReadAsync(HttpRequest request, CompletionApi api, FaultSlot faults)
    {
        // A web page may send text and forms to a local port without asking the browser's leave, but not JSON: this keeps it out.
        if (!request.HasJsonContentType())
        {
            faults.Add(ApiError.WithStatus(
                StatusCodes.Status415UnsupportedMediaType, "Send the body as JSON, with the header 'Content-Type: application/json'.", "unsupported_media_type"));
            return null;
        }

        if (await RequestBytes.ReadAsync(request, options.MaxBodyBytes, request.HttpContext.RequestAborted) is { } body)
        {
            CallTerms terms = CallTermsReader.Read(request, api, body, faults);
            return CompletionCall.Read(
                api, body, faults, Header(request, PrecisionFields.RequestHeader), options.Precision, Header(request, DeadlineFields.RequestHeader),
                RequestIdentity.OwnerOf(request.HttpContext)) is { } call ? (call, terms) : null;
        }

        faults.Add(ApiError.WithStatus(
            StatusCodes.Status413PayloadTooLarge, $"The body may have at most {options.MaxBodyBytes} bytes.", "request_too_large"));
        return null;
    }

    private static void SetRequest(HttpContext context, string id, bool isReplayed)
    {
        context.Response.Headers[RequestHeader] = id;
        if (isReplayed) context.Response.Headers[ReplayedHeader] = "true";
    }

    private static string? Header(HttpRequest request, string name) => request.Headers.TryGetValue(name, out StringValues value) ? value.ToString() : null;

    private static Task WriteFailureAsync(HttpContext context, CompletionCall call, InferenceEvent.Failed failed) =>
        ErrorAnswers.WriteAsync(context, ApiError.From(failed.Error, call.PromptField, context.TraceIdentifier));
}
