using System.Runtime.CompilerServices;
using R1Serverless.Queues;
using R1Serverless.Requests;

namespace R1Serverless.Hosting;

/// <summary>Refuses models that none of the workers serves, before the request goes into the queue. Where no worker is there, everything may wait for one.</summary>
internal sealed class KnownModels(IInference inner, LiveWorkers workers) : IInference
{
    public async IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (!await workers.MayServeAsync(request.Model, cancellationToken))
        {
            IReadOnlyList<ServedModel> there = ModelListing.Of(await workers.ListAsync(cancellationToken));
            yield return new InferenceEvent.Failed(new InferenceError(
                InferenceErrorKind.ModelNotFound, $"The model '{request.Model}' does not exist; there is {string.Join(", ", there.Select(model => model.Id))}.", "model"));
            yield break;
        }

        await foreach (InferenceEvent happened in inner.RunAsync(request, cancellationToken)) yield return happened;
    }
}
