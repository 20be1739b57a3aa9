using System.Runtime.CompilerServices;
using R1Serverless.Abstractions;
using R1Serverless.Api.OpenAI;
using R1Serverless.Queues;
using R1Serverless.Serving;
using R1Serverless.Storage;

namespace R1Serverless.Api.Dispatch;

/// <summary>Asks the workers of other processes, through the queue, for what this process does not serve itself.</summary>
/// <param name="own">Ends its requests at their deadlines; the queue does so itself.</param>
internal sealed class OtherWorkersInference(IInference own, QueueConnection connection) : IInference
{
    public async IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var inferenceEvent in own.RunAsync(request, cancellationToken))
        {
            if (inferenceEvent is not InferenceEvent.Failed { Error: var error } || !IsNotServed(request, error))
            {
                yield return inferenceEvent;
                continue;
            }

            var route = RequestRoute.Of(request);
            var (queue, refusal) = await FindAsync(route, cancellationToken);
            if (queue is null)
            {
                // Others may have the model, though not the precision.
                yield return refusal is { Kind: not InferenceErrorKind.ModelNotFound } ? new InferenceEvent.Failed(refusal) : inferenceEvent;
                yield break;
            }

            if (SeriesFields.Refusal(request) is { } unnumbered)
            {
                yield return new InferenceEvent.Failed(unnumbered);
                yield break;
            }

            var others = queue.Gateway.RunAsync(request, cancellationToken);
            await foreach (var other in NoWorkerErrorMapper.ExplainAsync(others, queue.Workers, route, cancellationToken)) yield return other;
            yield break;
        }
    }

    private static bool IsNotServed(InferenceRequest request, InferenceError error) => error.Kind == InferenceErrorKind.ModelNotFound
        || (request.Precision.Named is not null && error is { Kind: InferenceErrorKind.InvalidRequest, Field: "precision" });

    /// <summary>The queue, where others serve such requests; else why none does, as far as that is known.</summary>
    private async ValueTask<(TransportRuntime? Queue, InferenceError? Refusal)> FindAsync(RequestRoute route, CancellationToken cancellationToken)
    {
        try
        {
            if (connection.Queue is not { } queue) return default;
            var check = await queue.Workers.CheckAsync(route, cancellationToken);
            return (check.IsServed ? queue : null, check.Refusal);
        }
        catch (TransportException)
        {
            // What is not known is not said.
            return default;
        }
    }
}
