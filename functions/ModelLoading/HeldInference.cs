using R1Serverless.Abstractions;
using R1Serverless.Engine.Inference;

namespace R1Serverless.ModelLoading;

/// <summary>The engine over what must stay until it has ended; before it, no model is to change any more.</summary>
internal sealed class HeldInference(LocalInference inner, IAsyncDisposable? updates, IReadOnlyList<IDisposable> held) : IInference, IAsyncDisposable
{
    public IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, CancellationToken cancellationToken) =>
        inner.RunAsync(request, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (updates is not null) await updates.DisposeAsync();
        await inner.DisposeAsync();
        foreach (var one in held) one.Dispose();
    }
}
