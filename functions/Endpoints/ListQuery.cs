using System.Globalization;
using R1Serverless.OpenAi;

namespace R1Serverless.Endpoints;

/// <summary>Which page of a list is asked for: <c>limit</c>, <c>after</c> and <c>order</c>.</summary>
internal sealed record ListQuery(int Limit, string? After, bool OldestFirst)
{
    /// <param name="most">The largest page.</param>
    /// <param name="usual">The page where none is named.</param>
    public static ListQuery Read(IQueryCollection query, int most, int usual, FaultSlot faults)
    {
        int limit = usual;
        if (query.TryGetValue("limit", out var limitText)
            && !(int.TryParse(limitText.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out limit) && limit >= 1 && limit <= most))
            faults.Add("limit", $"'limit' must be a whole number from 1 to {most}.");
        string order = query.TryGetValue("order", out var orderText) ? orderText.ToString() : "desc";
        if (order is not ("asc" or "desc")) faults.Add("order", "'order' must be asc (oldest first) or desc.");
        string? after = query.TryGetValue("after", out var afterText) && afterText.ToString() is { Length: > 0 } id ? id : null;
        return new ListQuery(limit, after, order == "asc");
    }

    /// <param name="all">From the first behind <see cref="After"/>.</param>
    public async Task<ListWire<T>> PageAsync<T>(IAsyncEnumerable<T> all, Func<T, string> id, CancellationToken cancellationToken)
    {
        List<T> page = await all.Take(Limit + 1).ToListAsync(cancellationToken);
        bool hasMore = page.Count > Limit;
        if (hasMore) page.RemoveAt(Limit);
        return new ListWire<T>("list", page, page.Count > 0 ? id(page[0]) : null, page.Count > 0 ? id(page[^1]) : null, hasMore);
    }
}
