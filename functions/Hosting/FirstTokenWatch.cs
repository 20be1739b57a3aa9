using R1Serverless.Requests;

namespace R1Serverless.Hosting;

/// <summary>An engine whose first token is watched, once its requests are clients'.</summary>
internal sealed class FirstTokenWatch(IInference inner, FirstToken first) : IInference
{
    private volatile bool _counts;

    /// <summary>From now on requests are clients', not this process's own.</summary>
    public FirstTokenWatch Begin()
    {
        _counts = true;
        return this;
    }

    public IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, CancellationToken cancellationToken) => first.IsSeen
        ? inner.RunAsync(request, cancellationToken)
        : first.WatchAsync(inner.RunAsync(request, cancellationToken), _counts, cancellationToken);
}
