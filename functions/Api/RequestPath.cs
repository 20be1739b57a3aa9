namespace R1Serverless.Api;

/// <summary>Makes one address of those that mean the same, before anybody looks at it: whoever guards an address and whoever answers it must not
/// differ.</summary>
internal static class RequestPath
{
    // Azure OpenAI's newer API is OpenAI's own, below this.
    private const string AzurePrefix = "/openai", AzureApi = "/openai/v1";

    /// <summary>Without doubled and trailing slashes, which SDKs make of an address that ends with one; <c>/openai/v1/…</c> is
    /// <c>/v1/…</c>.</summary>
    public static void Normalise(HttpRequest request)
    {
        var path = request.Path.Value;
        if (string.IsNullOrEmpty(path) || path == "/") return;
        while (path.Contains("//", StringComparison.Ordinal)) path = path.Replace("//", "/", StringComparison.Ordinal);
        path = path.Length > 1 ? path.TrimEnd('/') : path;
        if (new PathString(path).StartsWithSegments(AzureApi, StringComparison.OrdinalIgnoreCase)) path = path[AzurePrefix.Length..];
        request.Path = path;
    }
}
