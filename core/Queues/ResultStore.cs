using System.Runtime.CompilerServices;
using R1Serverless.Abstractions;
using R1Serverless.Storage;

namespace R1Serverless.Queues;

/// <summary>The results of requests by their ids: <c>results/{id}.json</c>, or <c>results/{group}/{rest}.json</c> where the id is
/// <c>{group}-{rest}</c>, as those of a batch's lines are. The first result of a request stays: that makes the effect of several deliveries
/// one.</summary>
public sealed class ResultStore(IObjectStore store)
{
    public const string Folder = "results/";

    private const string Extension = ".json";

    /// <summary>False if the request has a result already, which stays.</summary>
    public async ValueTask<bool> TryPutAsync(InferenceResult result, CancellationToken cancellationToken) =>
        await store.PutAsync(Name(result.Id), MessageFormat.Write(result), PutCondition.Absent, cancellationToken) is not null;

    /// <summary>Null if the request has not ended, or its result has been purged.</summary>
    public async ValueTask<InferenceResult?> FindAsync(RequestId id, CancellationToken cancellationToken) =>
        await store.GetAsync(Name(id), cancellationToken) is { } stored ? MessageFormat.ReadResult(stored.Content) : null;

    public ValueTask<bool> ExistsAsync(RequestId id, CancellationToken cancellationToken) => store.ExistsAsync(Name(id), cancellationToken);

    public ValueTask<bool> DeleteAsync(RequestId id, CancellationToken cancellationToken) => store.DeleteAsync(Name(id), cancellationToken);

    /// <summary>The ids <c>{group}-{rest}</c> that have a result, in no particular order.</summary>
    public async IAsyncEnumerable<RequestId> ListAsync(string group, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var prefix = $"{Folder}{group}/";
        await foreach (var entry in store.ListAsync(prefix, cancellationToken))
        {
            if (entry.Name.EndsWith(Extension, StringComparison.Ordinal))
                yield return new RequestId($"{group}-{entry.Name[prefix.Length..^Extension.Length]}");
        }
    }

    public static string Name(RequestId id) =>
        id.Value.LastIndexOf('-') is > 0 and var at ? $"{Folder}{id.Value[..at]}/{id.Value[(at + 1)..]}{Extension}"
        : $"{Folder}{id.Value}{Extension}";
}
