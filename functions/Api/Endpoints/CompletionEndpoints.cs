using R1Serverless.Abstractions;
using R1Serverless.Api.Dispatch;
using R1Serverless.Api.OpenAI;
using R1Serverless.Serving;
using R1Serverless.Warmup;

namespace R1Serverless.Api.Endpoints;

/// <summary>The POST routes of <see cref="CompletionPaths"/> and /v2/models/{model}/infer: validate, run, and answer as JSON, as a stream, or with
/// the place to come back to.</summary>
internal sealed class CompletionEndpoints(ServingState serving, ServeOptions options, RequestDispatcher door, EventStream stream, TokenMeter meter,
    WarmupPass warmup, TimeProvider time)
{
    /// <summary>The id under which the client may come back.</summary>
    public const string RequestHeader = "x-r1-request-id";

    /// <summary>The answer is an earlier call's with the same key.</summary>
    public const string ReplayedHeader = "idempotency-replayed";

    private static readonly TimeSpan RetryLater = TimeSpan.FromSeconds(2);

    /// <summary>Why no call is taken in right now.</summary>
    public ApiError NotServing => serving.Phase == ServingPhase.Draining
        ? ApiError.Unavailable("The server is shutting down.", "draining", RetryLater)
        : ApiError.Unavailable(
        options.Role == ServeRole.Gateway ? "The gateway has not reached its queue yet." : "The models are still loading.", "loading", RetryLater);

    public Task AnswerAsync(HttpContext context, CompletionApi api) =>
        AnswerAsync(context, (request, faults) => ReadAsync(request, api, faults));

    /// <summary>Answers a call of any API.</summary>
    /// <param name="read">The call, or null with the fault noted.</param>
    public async Task AnswerAsync(HttpContext context, Func<HttpRequest, ValidationResult, ValueTask<(CompletionCall Call, CallTerms Terms)?>> read)
    {
        using var entered = warmup.Of(context.Request) is { } own ? serving.TryEnter(own) : serving.TryEnter();
        if (entered is null)
        {
            await ErrorAnswers.WriteAsync(context, NotServing);
            return;
        }

        ValidationResult faults = new();
        if (await read(context.Request, faults) is not var (call, terms))
        {
            await ErrorAnswers.WriteAsync(context, faults.First ?? ApiError.Invalid("The body is not understood."));
            return;
        }

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, serving.Abort);
        try
        {
            await AnswerAsync(context, await door.EnterAsync(call, terms, entered.Inference, stop.Token), stop.Token);
        }
        catch (OperationCanceledException) when (serving.Abort.IsCancellationRequested && !context.Response.HasStarted)
        {
            await ErrorAnswers.WriteAsync(context,
                ApiError.Unavailable("The server shut down before the answer was complete.", "draining", RetryLater));
        }
    }

    private async Task AnswerAsync(HttpContext context, DispatchResult entrance, CancellationToken stop)
    {
        switch (entrance)
        {
            case DispatchResult.Refused refused:
                await ErrorAnswers.WriteAsync(context, refused.Error);
                break;
            case DispatchResult.Deferred deferred:
                SetRequest(context, deferred.Answer.Id, deferred.IsReplayed);
                context.Response.Headers.Location = RequestEndpoints.Path + deferred.Answer.Id;
                context.Response.Headers["Preference-Applied"] = CallTermsReader.RespondAsync;
                await JsonAnswers.WriteAsync(context, StatusCodes.Status202Accepted, deferred.Answer, WireJson.Relaxed.RequestAnswer);
                break;
            case DispatchResult.Answering answering:
                using (answering.Pass)
                {
                    if (answering.IsRecorded) SetRequest(context, answering.Call.Request.Id.Value, answering.IsReplayed);
                    // An answer that is told again costs nothing again.
                    var told = meter.Follow(context, answering.Run(stop), answering.IsFree, stop);
                    await using var events = told.GetAsyncEnumerator(stop);
                    await AnswerAsync(context, answering.Call, answering.Head, events, stop);
                }

                break;
        }
    }

    private async Task AnswerAsync(HttpContext context, CompletionCall call, AnswerHead head, IAsyncEnumerator<InferenceEvent> events,
        CancellationToken stop)
    {
        if (call.Stream)
        {
            await StreamAsync(context, call, head, events, stop);
            return;
        }

        ResultFold fold = new(call.Request.Id, call.Request.TopLogprobs is not null);
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
        var result = fold.Result();
        const int Ok = StatusCodes.Status200OK;
        await (call.Api switch
        {
            CompletionApi.Chat => JsonAnswers.WriteAsync(context, Ok, AnswerWriter.Chat(result, head), WireJson.Relaxed.ChatAnswer),
            CompletionApi.Text => JsonAnswers.WriteAsync(context, Ok, AnswerWriter.Text(result, head), WireJson.Relaxed.TextAnswer),
            CompletionApi.Tensors => TensorAnswers.WriteAsync(context, call, head, result),
            CompletionApi.Embeddings or CompletionApi.Rank or CompletionApi.Classify =>
                JsonAnswers.WriteAsync(context, Ok, TextAnswerWriter.Write(call.Api, result, head).WrittenMemory),
            CompletionApi.Series => JsonAnswers.WriteAsync(
                context, Ok, SeriesAnswerWriter.Write(result.Series!, head.Model, result.Variant).WrittenMemory),
            _ => JsonAnswers.WriteAsync(context, Ok, AnswerWriter.Response(result, head), WireJson.Relaxed.ResponseAnswer),
        });
    }

    /// <summary>The first event decides the status, if it comes before the first heartbeat is due. A request that waits longer, for a model to load
    /// or for others to make room, gets its stream at once, and in it whatever comes.</summary>
    private async Task StreamAsync(HttpContext context, CompletionCall call, AnswerHead head, IAsyncEnumerator<InferenceEvent> events,
        CancellationToken stop)
    {
        var first = events.MoveNextAsync().AsTask();
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

    private async ValueTask<(CompletionCall Call, CallTerms Terms)?> ReadAsync(HttpRequest request, CompletionApi api, ValidationResult faults)
    {
        if (ImageBody.Is(request, api)) return await ImageBody.ReadAsync(request, serving, options, faults);
        if (await RequestBytes.ReadJsonAsync(request, options.MaxBodyBytes, faults) is not { } body) return null;
        // A slash in the name of a model stays encoded in the address.
        var deployment = request.RouteValues["deployment"] is string named ? Uri.UnescapeDataString(named)
            : await UsualModel.FindAsync(api, body, serving, faults, request.HttpContext.RequestAborted);
        var terms = CallTermsReader.Read(request, api, deployment, body, faults);
        if (CompletionCall.Read(
            api, body, faults, Header(request, PrecisionFields.RequestHeader), options.Precision, Header(request, DeadlineFields.RequestHeader),
            RequestIdentity.OwnerOf(request.HttpContext), deployment) is not { } call) return null;
        if (call.Texts?.Repeated is null || (terms is { IsAsync: false, Key: null } && call.Webhook is null)) return (call, terms);
        // They are not kept with the request.
        var field = call.PromptField == TextForm.Documents ? "return_documents" : "return_text";
        faults.Add(field, $"'{field}' can't be true where the answer may be fetched later: its indices say which text is meant.",
            "unsupported_parameter");
        return null;
    }

    private static void SetRequest(HttpContext context, string id, bool isReplayed)
    {
        context.Response.Headers[RequestHeader] = id;
        if (isReplayed) context.Response.Headers[ReplayedHeader] = "true";
    }

    private static string? Header(HttpRequest request, string name) => request.Headers.TryGetValue(name, out var value) ? value.ToString() : null;

    private static Task WriteFailureAsync(HttpContext context, CompletionCall call, InferenceEvent.Failed failed) =>
        ErrorAnswers.WriteAsync(context, ApiError.From(failed.Error, call.PromptField, context.TraceIdentifier));
}
