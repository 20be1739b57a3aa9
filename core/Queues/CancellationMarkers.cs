using System.Text;
using R1Serverless.Storage;

namespace R1Serverless.Queues;

/// <summary>Marks that reach every worker whatever the transport: <c>cancelled/{id}</c> says that a request, or a whole batch, is no longer wanted.
/// Workers list them every so often; the retention removes them once they have aged.</summary>
public sealed class CancellationMarkers(IObjectStore store)
{
    public const string Folder = "cancelled/";

    private static readonly byte[] Mark = Encoding.ASCII.GetBytes("cancelled");

    /// <param name="id">Of a request or a batch.</param>
    public async ValueTask SetAsync(string id, CancellationToken cancellationToken) =>
        await store.PutAsync(Folder + id, Mark, PutCondition.Always, cancellationToken);

    /// <summary>The ids of all marks.</summary>
    public async ValueTask<IReadOnlySet<string>> ListAsync(CancellationToken cancellationToken)
    {
        HashSet<string> ids = new(StringComparer.Ordinal);
        await foreach (var entry in store.ListAsync(Folder, cancellationToken)) ids.Add(entry.Name[Folder.Length..]);
        return ids;
    }
}
