using R1Serverless.Requests;

namespace R1Serverless.Hosting;

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

    /// <summary>See <see cref="ApiKeys.Owner"/>. Without keys nothing is noted.</summary>
    public static void SetOwner(HttpContext context, string owner)
    {
        if (owner.Length > 0) context.Features.Set(new KeyOwner(owner));
    }

    /// <summary>For <see cref="InferenceRequest.Owner"/>.</summary>
    public static string OwnerOf(HttpContext context) => context.Features.Get<KeyOwner>()?.Fingerprint ?? "";

    private static bool IsSane(string? id) => id is { Length: > 0 and <= Longest } && !id.AsSpan().ContainsAnyExceptInRange('!', '~');

    private sealed record KeyOwner(string Fingerprint);
}
