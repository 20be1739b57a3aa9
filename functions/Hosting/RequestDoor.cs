using R1Serverless.OpenAi;
using R1Serverless.Queues;
using R1Serverless.Requests;

namespace R1Serverless.Hosting;

/// <summary>Takes calls in: straight to who answers, or durably through the queue where somebody may come back for the result.</summary>
internal sealed class RequestDoor(Serving serving, ServeOptions options, QueueConnection connection, QueuedLimit limit, Admission admission, FirstToken first, TimeProvider time)
{
    private static readonly TimeSpan RetryLater = TimeSpan.FromSeconds(1);

    private readonly WebhookHosts _hosts = new(options.WebhookHosts);
    private readonly Lock _gate = new();
    private DurableRequests? _durable;

    /// <param name="inference">Answers calls that nobody comes back for.</param>
    /// <exception cref="TransportException">The queue can't be reached.</exception>
    public async ValueTask<Entrance> EnterAsync(CompletionCall call, CallTerms terms, IInference inference, CancellationToken cancellationToken)
    {
        bool isGateway = options.Role == ServeRole.Gateway, comesBack = terms.IsAsync || terms.Key is not null || call.Webhook is not null;
        if (!isGateway && !comesBack) return Direct(call, inference);
        if (Refusal(call) is { } refusal) return new Entrance.Refused(refusal);
        if (connection.Queue is not { } queue) return new Entrance.Refused(ApiError.Unavailable("The queue is not open yet.", "loading", RetryLater));
        if (!await IsServedAsync(queue, call.Request.Model, cancellationToken))
            return comesBack ? new Entrance.Refused(ApiError.ModelNotFound(call.Request.Model)) : Direct(call, inference);
        DurableRequests durable = Durable(queue);
        if (terms.IsAsync) return await durable.SubmitAsync(call, terms, cancellationToken);
        Entrance entrance = comesBack ? await durable.RunAsync(call, terms.Key, terms.BodyHash, cancellationToken) : durable.Run(call);
        // What is worked off the queue is watched where that is done: elsewhere, if this is a gateway.
        return isGateway && entrance is Entrance.Answering answer ? answer with { Run = stop => first.WatchAsync(answer.Run(stop), stop) } : entrance;
    }

    private Entrance Direct(CompletionCall call, IInference inference)
    {
        if (admission.TryEnter(call.Request.Owner, isQueued: options.Role == ServeRole.Gateway, out ApiError? refusal) is not { } pass) return new Entrance.Refused(refusal!);
        return new Entrance.Answering(
            pass, call, AnswerHead.For(call, time), stop => admission.RunAsync(pass, call.Request, inference.RunAsync, stop), IsRecorded: false);
    }

    private ApiError? Refusal(CompletionCall call) => options.Role == ServeRole.Worker
        ? ApiError.Invalid("This process is a worker, which takes in nothing that somebody comes back for: send it to a gateway.", null, "not_a_gateway")
        : call.Webhook is { } webhook && _hosts.Refusal(webhook) is { } reason ? ApiError.Invalid(reason, "webhook", "webhook_not_allowed") : null;

    private async ValueTask<bool> IsServedAsync(OpenQueue queue, string model, CancellationToken cancellationToken) => options.Role == ServeRole.Gateway
        ? await queue.Workers.MayServeAsync(model, cancellationToken)
        : (await serving.ListModelsAsync(cancellationToken)).Any(served => served.Id == model);

    private DurableRequests Durable(OpenQueue queue)
    {
        lock (_gate) return _durable ??= new DurableRequests(queue, limit, admission, time);
    }
}
