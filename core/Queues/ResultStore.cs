using R1Serverless.Requests;

namespace R1Serverless.Queues;

/// <summary>The results of requests by their ids, <c>results/{id}.json</c>. The first result of a request stays: that makes the effect of several deliveries one.</summary>
public sealed class ResultStore(IObjectStore store)
{
    public const string Folder = "results/";

    /// <summary>False if the request has a result already, which stays.</summary>
    public async ValueTask<bool> TryPutAsync(InferenceResult result, CancellationToken cancellationToken) =>
        await store.PutAsync(Name(result.Id), MessageFormat.Write(result), PutCondition.Absent, cancellationToken) is not null;

    /// <summary>Null if the request has not ended, or its result has been purged.</summary>
    public async ValueTask<InferenceResult?> FindAsync(RequestId id, CancellationToken cancellationToken) =>
        await store.GetAsync(Name(id), cancellationToken) is { } stored ? MessageFormat.ReadResult(stored.Content.Span) : null;

    public ValueTask<bool> ExistsAsync(RequestId id, CancellationToken cancellationToken) => store.ExistsAsync(Name(id), cancellationToken);

    public ValueTask<bool> DeleteAsync(RequestId id, CancellationToken cancellationToken) => store.DeleteAsync(Name(id), cancellationToken);

    private static string Name(RequestId id) => $"{Folder}{id.Value}.json";
}
