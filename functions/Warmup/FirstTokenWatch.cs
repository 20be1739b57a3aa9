using R1Serverless.Abstractions;

namespace R1Serverless.Warmup;

/// <summary>An engine whose first token is watched.</summary>
internal sealed class FirstTokenWatch(IInference inner, FirstToken first) : IInference
{
    public IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, CancellationToken cancellationToken) => first.IsSeen
        ? inner.RunAsync(request, cancellationToken)
        : first.WatchAsync(inner.RunAsync(request, cancellationToken), cancellationToken);
}
