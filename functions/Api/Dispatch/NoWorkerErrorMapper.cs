using System.Runtime.CompilerServices;
using R1Serverless.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Storage;

namespace R1Serverless.Api.Dispatch;

/// <summary>Tells a request that was too slow from one that no worker was ready for: a cold start that outlasts a deadline is not the request's
/// fault, and another try may find workers ready.</summary>
internal static class NoWorkerErrorMapper
{
    private static readonly TimeSpan RetryLater = TimeSpan.FromSeconds(5);

    /// <summary>The same events, but for a deadline that passes before anybody has begun while no worker is there.</summary>
    /// <param name="route">The request's: workers of other models don't count.</param>
    public static async IAsyncEnumerable<InferenceEvent> ExplainAsync(IAsyncEnumerable<InferenceEvent> events, WorkerDirectory workers,
        RequestRoute route, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var isBegun = false;
        await foreach (var inferenceEvent in events.WithCancellation(cancellationToken))
        {
            isBegun |= inferenceEvent is InferenceEvent.Admitted;
            yield return inferenceEvent is InferenceEvent.Failed { Error.Kind: InferenceErrorKind.DeadlineExceeded } && !isBegun
                && await AreNoneAsync(workers, route, cancellationToken)
                ? new InferenceEvent.Failed(
                new InferenceError(InferenceErrorKind.Unavailable, "No worker was ready before the request's deadline. Retry later.",
                RetryAfter: RetryLater))
                : inferenceEvent;
        }
    }

    private static async ValueTask<bool> AreNoneAsync(WorkerDirectory workers, RequestRoute route, CancellationToken cancellationToken)
    {
        try
        {
            return !await workers.AreThereAsync(route, cancellationToken);
        }
        catch (TransportException)
        {
            // What is not known is not said.
            return false;
        }
    }
}
