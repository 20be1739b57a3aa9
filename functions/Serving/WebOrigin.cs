namespace R1Serverless.Serving;

/// <summary>Where a web page comes from, as browsers say it in the header <c>Origin</c>: scheme, host and port (RFC 6454).</summary>
internal static class WebOrigin
{
    /// <summary>Stands for every origin.</summary>
    public const string Any = "*";

    /// <summary>As browsers write it: in lower case, without the scheme's usual port and without a path; null where it is no origin.</summary>
    public static string? Parse(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri is { Host.Length: > 0, PathAndQuery: "" or "/", Fragment: "", UserInfo: "" }
            ? uri.GetLeftPart(UriPartial.Authority)
            : null;
}
