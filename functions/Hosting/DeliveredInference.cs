using R1Serverless.Generation;
using R1Serverless.Requests;

namespace R1Serverless.Hosting;

/// <summary>The engine over models that come from a repository. Its end is theirs, in this order: no more updates, the engine, the versions in the cache.</summary>
internal sealed class DeliveredInference(LocalInference inner, ModelUpdates updates, DeliveredModels models) : IInference, IAsyncDisposable
{
    public IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, CancellationToken cancellationToken) => inner.RunAsync(request, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await updates.DisposeAsync();
        await inner.DisposeAsync();
        models.Dispose();
    }
}
