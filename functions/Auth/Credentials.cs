namespace R1Serverless.Auth;

/// <summary>What a request shows to be let in: <c>Authorization: Bearer KEY</c>, or <c>api-key: KEY</c> as Azure OpenAI's clients send it. Never the
/// address, which proxies and browsers write down.</summary>
internal static class Credentials
{
    public const string KeyHeader = "api-key";
    private const string Scheme = "Bearer ";

    // OpenAI-like services, Azure API Management and Azure Functions take keys under these names in addresses.
    private static readonly HashSet<string> InAddresses = new(StringComparer.OrdinalIgnoreCase)
    {
        "api_key", "api-key", "apikey", "key", "code", "token", "access_token", "subscription-key",
    };

    /// <summary>Null where there is none.</summary>
    public static string? Read(IHeaderDictionary headers)
    {
        string? authorization = headers.Authorization;
        if (authorization is not null)
            return authorization.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)
                && authorization.AsSpan(Scheme.Length).Trim() is { Length: > 0 } key ? key.ToString() : null;
        return headers.TryGetValue(KeyHeader, out var value) && value.ToString().Trim() is { Length: > 0 } plain ? plain : null;
    }

    /// <summary>Whether it has the form of a token (JWT): no key has.</summary>
    public static bool IsToken(string text) => text.StartsWith("eyJ", StringComparison.Ordinal) && text.AsSpan().Count('.') == 2;

    /// <summary>The name under which the address carries a key; null if it carries none.</summary>
    public static string? InAddress(IQueryCollection query) => query.Count == 0 ? null : query.Keys.FirstOrDefault(InAddresses.Contains);
}
