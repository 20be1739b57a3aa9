using R1Serverless.Requests;

namespace R1Serverless.Hosting;

/// <summary>Inference over folders that must stay until it has ended.</summary>
internal sealed class HeldInference(IInference inner, IReadOnlyList<IDisposable> held) : IInference, IAsyncDisposable
{
    public IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, CancellationToken cancellationToken) => inner.RunAsync(request, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (inner is IAsyncDisposable engine) await engine.DisposeAsync();
        foreach (IDisposable one in held) one.Dispose();
    }
}
