using R1Serverless.Queues;

namespace R1Serverless.Batches;

/// <summary>The names of an owner's index, which sort by time.</summary>
internal static class OwnedNames
{
    public static async ValueTask<IReadOnlyList<string>> ListAsync(
        IObjectStore store, string index, string? after, bool oldestFirst, CancellationToken cancellationToken)
    {
        List<string> names = [];
        await foreach (ObjectEntry entry in store.ListAsync(index, cancellationToken)) names.Add(entry.Name[index.Length..]);
        names.Sort(StringComparer.Ordinal);
        if (!oldestFirst) names.Reverse();
        if (after is null) return names;
        int sign = oldestFirst ? 1 : -1;
        return [.. names.Where(name => sign * string.CompareOrdinal(name, after) > 0)];
    }
}
