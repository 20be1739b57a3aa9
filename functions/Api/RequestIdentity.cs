using R1Serverless.Abstractions;
using R1Serverless.Auth;

namespace R1Serverless.Api;

/// <summary>Which HTTP request this is: the client's id, if it is one to 128 visible ASCII characters, else a new one; and whose.</summary>
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

    public static void SetCaller(HttpContext context, Caller caller) => context.Features.Set(caller);

    /// <summary>Null where nobody has been asked who it is.</summary>
    public static Caller? CallerOf(HttpContext context) => context.Features.Get<Caller>();

    /// <summary>For <see cref="InferenceRequest.Owner"/>.</summary>
    public static string OwnerOf(HttpContext context) => CallerOf(context)?.Owner ?? "";

    private static bool IsSane(string? id) => id is { Length: > 0 and <= Longest } && !id.AsSpan().ContainsAnyExceptInRange('!', '~');
}
