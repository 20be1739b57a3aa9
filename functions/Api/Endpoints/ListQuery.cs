using System.Globalization;
using R1Serverless.Api.OpenAI;

namespace R1Serverless.Api.Endpoints;

/// <summary>Which page of a list is asked for: <c>limit</c>, <c>after</c> and <c>order</c>.</summary>
internal sealed record ListQuery(int Limit, string? After, bool OldestFirst)
{
    /// <summary>Null where it is wrong; then the error has been written.</summary>
    /// <param name="most">The largest page.</param>
    /// <param name="usual">The page where none is named.</param>
    public static async ValueTask<ListQuery?> ReadAsync(HttpContext context, int most, int usual)
    {
        ValidationResult faults = new();
        var query = context.Request.Query;
        var limit = usual;
        if (query.TryGetValue("limit", out var limitText)
            && !(int.TryParse(limitText.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out limit) && limit >= 1 && limit <= most))
            faults.Add("limit", $"'limit' must be a whole number from 1 to {most}.");
        var order = query.TryGetValue("order", out var orderText) ? orderText.ToString() : "desc";
        if (order is not ("asc" or "desc")) faults.Add("order", "'order' must be asc (oldest first) or desc.");
        var after = query.TryGetValue("after", out var afterText) && afterText.ToString() is { Length: > 0 } id ? id : null;
        if (faults.First is not { } fault) return new ListQuery(limit, after, order == "asc");
        await ErrorAnswers.WriteAsync(context, fault);
        return null;
    }

    /// <param name="all">From the first behind <see cref="After"/>.</param>
    public async Task<ListWire<T>> PageAsync<T>(IAsyncEnumerable<T> all, Func<T, string> id, CancellationToken cancellationToken)
    {
        var page = await all.Take(Limit + 1).ToListAsync(cancellationToken);
        var hasMore = page.Count > Limit;
        if (hasMore) page.RemoveAt(Limit);
        return new ListWire<T>("list", page, page.Count > 0 ? id(page[0]) : null, page.Count > 0 ? id(page[^1]) : null, hasMore);
    }
}
