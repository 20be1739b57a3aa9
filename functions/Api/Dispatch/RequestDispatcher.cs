using R1Serverless.Abstractions;
using R1Serverless.Api.OpenAI;
using R1Serverless.Api.Webhooks;
using R1Serverless.Queues;
using R1Serverless.Serving;
using R1Serverless.Storage;
using R1Serverless.Warmup;

namespace R1Serverless.Api.Dispatch;

/// <summary>Takes calls in: straight to who answers, or durably through the queue where somebody may come back for the result.</summary>
internal sealed class RequestDispatcher(
    ServeOptions options, QueueConnection connection, OwnerQuotaCheck limit, RequestAdmission admission, FirstToken first, TimeProvider time)
{
    private static readonly TimeSpan RetryLater = TimeSpan.FromSeconds(1);

    private readonly WebhookHosts _hosts = new(options.WebhookHosts);
    private readonly Lock _gate = new();
    private DurableRequests? _durable;

    /// <param name="inference">Answers calls that nobody comes back for.</param>
    /// <exception cref="TransportException">The queue can't be reached.</exception>
    public async ValueTask<DispatchResult> EnterAsync(CompletionCall call, CallTerms terms, IInference inference, CancellationToken cancellationToken)
    {
        bool isGateway = options.Role == ServeRole.Gateway, comesBack = terms.IsAsync || terms.Key is not null || call.Webhook is not null;
        if (!isGateway && !comesBack) return Direct(call, inference);
        if (Refusal(call) is { } refusal) return new DispatchResult.Refused(refusal);
        if (connection.Queue is not { } queue)
            return new DispatchResult.Refused(ApiError.Unavailable("The queue is not open yet.", "loading", RetryLater));
        // In the queue it would wait until its deadline: workers of other models never see it.
        if ((await queue.Workers.CheckAsync(RequestRoute.Of(call.Request), cancellationToken)).Refusal is { } unserved)
            return new DispatchResult.Refused(unserved.Kind == InferenceErrorKind.ModelNotFound
                ? ApiError.ModelNotFound(call.Request.Model) : ApiError.From(unserved, call.PromptField, call.Request.Id.Value));
        var durable = Durable(queue);
        if (terms.IsAsync) return await durable.SubmitAsync(call, terms, cancellationToken);
        var result = comesBack ? await durable.RunAsync(call, terms.Key, terms.BodyHash, cancellationToken) : durable.Run(call);
        // What leaves the queue is watched where that is done: elsewhere, if this is a gateway.
        return isGateway && result is DispatchResult.Answering answer ? answer with { Run = stop => first.WatchAsync(answer.Run(stop), stop) }
            : result;
    }

    private DispatchResult Direct(CompletionCall call, IInference inference)
    {
        if (admission.TryEnter(call.Request, isQueued: options.Role == ServeRole.Gateway, out var refusal) is not { } pass)
            return new DispatchResult.Refused(refusal!);
        return new DispatchResult.Answering(
            pass, call, AnswerHead.For(call, time), stop => admission.RunAsync(pass, call.Request, inference.RunAsync, stop), IsRecorded: false);
    }

    private ApiError? Refusal(CompletionCall call) => options.Role == ServeRole.Worker
        ? ApiError.Invalid("This process is a worker, which takes in nothing that somebody comes back for: send it to a gateway.", null,
        "not_a_gateway")
        : call.Webhook is { } webhook && _hosts.Refusal(webhook) is { } reason ? ApiError.Invalid(reason, "webhook", "webhook_not_allowed") : null;

    private DurableRequests Durable(TransportRuntime queue)
    {
        lock (_gate) return _durable ??= new DurableRequests(queue, limit, admission, time);
    }
}
