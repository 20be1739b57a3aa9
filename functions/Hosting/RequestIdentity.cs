using R1Serverless.Requests;

namespace R1Serverless.Hosting;

/// <summary>Gives each HTTP request an id: the client's, if it is one to 128 visible ASCII characters, else a new one.</summary>
internal static class RequestIdentity
{
    public const string Header = "x-request-id";
    private const int Longest = 128;

    public static void Assign(HttpContext context)
    {
        string? offered = context.Request.Headers[Header];
        context.TraceIdentifier = IsSane(offered) ? offered! : RequestId.New().Value;
        context.Response.Headers[Header] = context.TraceIdentifier;
    }

    private static bool IsSane(string? id) => id is { Length: > 0 and <= Longest } && !id.AsSpan().ContainsAnyExceptInRange('!', '~');
}
