using System.Runtime.CompilerServices;
using R1Serverless.Queues;
using R1Serverless.Requests;

namespace R1Serverless.Hosting;

/// <summary>
/// Tells a request that was too slow from one that no worker was ready for: a cold start that outlasts a deadline is not the request's fault, and another try may find workers ready.
/// </summary>
internal static class LateWorkers
{
    private static readonly TimeSpan RetryLater = TimeSpan.FromSeconds(5);

    /// <summary>The same events, but for a deadline that passes before anybody has begun while no worker is there.</summary>
    public static async IAsyncEnumerable<InferenceEvent> ExplainAsync(IAsyncEnumerable<InferenceEvent> events, LiveWorkers workers, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        bool isBegun = false;
        await foreach (InferenceEvent happened in events.WithCancellation(cancellationToken))
        {
            isBegun |= happened is InferenceEvent.Admitted;
            yield return happened is InferenceEvent.Failed { Error.Kind: InferenceErrorKind.DeadlineExceeded } && !isBegun && await AreNoneAsync(workers, cancellationToken)
                ? new InferenceEvent.Failed(new InferenceError(InferenceErrorKind.Unavailable, "No worker was ready before the request's deadline. Retry later.", RetryAfter: RetryLater))
                : happened;
        }
    }

    private static async ValueTask<bool> AreNoneAsync(LiveWorkers workers, CancellationToken cancellationToken)
    {
        try
        {
            return (await workers.ListAsync(cancellationToken)).Count == 0;
        }
        catch (TransportException)
        {
            // What is not known is not said.
            return false;
        }
    }
}
