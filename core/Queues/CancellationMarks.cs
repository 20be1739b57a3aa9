using System.Text;

namespace R1Serverless.Queues;

/// <summary>Marks that reach every worker whatever the transport: <c>cancelled/{id}</c> says that a request, or a whole batch, is no longer wanted. Workers list
/// them every so often; they are removed once they have aged.</summary>
public sealed class CancellationMarks(IObjectStore store)
{
    public const string Folder = "cancelled/";

    private static readonly byte[] Mark = Encoding.ASCII.GetBytes("cancelled");

    /// <param name="id">Of a request or a batch.</param>
    public async ValueTask SetAsync(string id, CancellationToken cancellationToken) =>
        await store.PutAsync(Folder + id, Mark, PutCondition.Always, cancellationToken);

    public ValueTask<bool> IsSetAsync(string id, CancellationToken cancellationToken) => store.ExistsAsync(Folder + id, cancellationToken);

    /// <summary>The ids of all marks.</summary>
    public async ValueTask<IReadOnlySet<string>> ListAsync(CancellationToken cancellationToken)
    {
        HashSet<string> ids = new(StringComparer.Ordinal);
        await foreach (ObjectEntry entry in store.ListAsync(Folder, cancellationToken)) ids.Add(entry.Name[Folder.Length..]);
        return ids;
    }

    /// <summary>Removes marks older than <paramref name="age"/>, which must exceed the longest time that a request may wait.</summary>
    public async ValueTask PurgeAsync(TimeSpan age, CancellationToken cancellationToken)
    {
        await foreach (ObjectEntry entry in store.ListAsync(Folder, cancellationToken))
        {
            if (entry.Age > age) await store.DeleteAsync(entry.Name, cancellationToken);
        }
    }
}
