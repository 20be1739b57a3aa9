using R1Serverless.Storage;

namespace R1Serverless.Queues.Batches;

/// <summary>The names of an owner's index, which sort by time.</summary>
internal static class OwnerIndex
{
    public static async ValueTask<IReadOnlyList<string>> ListAsync(
        IObjectStore store, string index, string? after, bool oldestFirst, CancellationToken cancellationToken)
    {
        List<string> names = [];
        await foreach (var entry in store.ListAsync(index, cancellationToken)) names.Add(entry.Name[index.Length..]);
        names.Sort(StringComparer.Ordinal);
        if (!oldestFirst) names.Reverse();
        if (after is null) return names;
        var sign = oldestFirst ? 1 : -1;
        return [.. names.Where(name => sign * string.CompareOrdinal(name, after) > 0)];
    }
}
