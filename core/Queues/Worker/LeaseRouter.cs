using R1Serverless.Abstractions;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Worker;

/// <summary>What a worker does with a leased request that it does not serve: one that any worker may take, one that its service did not tell from
/// others, or one whose model has gone since.</summary>
/// <param name="routes">What this worker serves.</param>
/// <param name="workers">Who else may; null for nobody.</param>
internal sealed class LeaseRouter(IRequestQueue queue, ServedRoutes routes, WorkerDirectory? workers)
{
    /// <summary>Whether a failure only says that this worker no longer has what the request asks for.</summary>
    public bool IsGone(QueuedRequest message, InferenceError error) => workers is not null
        && !routes.Now.Contains(RequestRoute.Of(message.Request))
        && (error.Kind == InferenceErrorKind.ModelNotFound || error is { Kind: InferenceErrorKind.InvalidRequest, Field: "precision" });

    /// <summary>What is to be done with a request before it is run. It is run, and so refused, where nobody serves it that any worker may take: a
    /// request that had workers once waits for others.</summary>
    public async ValueTask<RouteStep> FindStepAsync(QueuedRequest message, CancellationToken cancellationToken)
    {
        if (workers is null || routes.Recent.Contains(RequestRoute.Of(message.Request))) return RouteStep.Run;
        if (!message.IsForAny) return RouteStep.GiveBack;
        try
        {
            return (await workers.CheckAsync(RequestRoute.Of(message.Request), cancellationToken)).IsServed ? RouteStep.Forward : RouteStep.Run;
        }
        catch (TransportException)
        {
            // It can't be told who serves it.
            return RouteStep.GiveBack;
        }
    }

    /// <summary>Enqueues a request for the workers that serve it; its delivery here is to be completed afterwards.</summary>
    /// <param name="age">Since it was enqueued: it counts against the deadline.</param>
    public ValueTask ForwardAsync(QueuedRequest message, TimeSpan age, TimeProvider time, CancellationToken cancellationToken)
    {
        Deadline deadline = new(message.Request.Deadline, time, -age);
        return queue.EnqueueAsync([message with { IsForAny = false, Request = deadline.Rest(message.Request) }], cancellationToken);
    }
}

/// <summary>What a worker does with a leased request.</summary>
internal enum RouteStep
{
    Run,

    /// <summary>Others serve it, and get it from the queue.</summary>
    GiveBack,

    /// <summary>Others serve it, and it has to be enqueued for them.</summary>
    Forward,
}
