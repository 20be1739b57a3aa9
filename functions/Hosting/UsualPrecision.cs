using R1Serverless.Requests;

namespace R1Serverless.Hosting;

/// <summary>A worker's own precision for requests that came through the queue and name none.</summary>
internal sealed class UsualPrecision(IInference inner, Precision usual) : IInference
{
    public IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, CancellationToken cancellationToken) => inner.RunAsync(
        request.Precision is { IsServerDefault: true, Named: null } wish ? request with { Precision = wish with { Named = usual } } : request, cancellationToken);
}
