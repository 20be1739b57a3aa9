using R1Serverless.Abstractions;

namespace R1Serverless.Api.Dispatch;

/// <summary>A worker's own precision for requests that came through the queue and name none.</summary>
internal sealed class DefaultPrecisionInference(IInference inner, Precision usual) : IInference
{
    public IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, CancellationToken cancellationToken) => inner.RunAsync(
        request.Precision is { IsServerDefault: true, Named: null } preference ? request with { Precision = preference with { Named = usual } }
        : request, cancellationToken);
}
