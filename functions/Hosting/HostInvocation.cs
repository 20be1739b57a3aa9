namespace R1Serverless.Hosting;

/// <summary>
/// Marks endpoints that the Functions host itself calls, for its queues and timers; they ask for no key. Nobody else reaches them: the process listens on loopback, and the
/// host hands on from outside only what an HTTP function's route takes. Should one ever take too much, the headers of what it hands on give it away.
/// </summary>
internal sealed class HostInvocation
{
    public const string Header = "X-Azure-Functions-InvocationId", ProxiedHeader = "x-ms-invocation-id";

    private static readonly string[] FromOutside = [ProxiedHeader, "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"];

    public static HostInvocation Mark { get; } = new();

    /// <summary>Whether the host calls on its own account.</summary>
    public static bool IsFromHost(HttpRequest request) => request.Headers.ContainsKey(Header) && !FromOutside.Any(request.Headers.ContainsKey);

    /// <summary>The host's name for this call, of either kind; null where it gave none. What it hands on may come with the other header from outside.</summary>
    public static string? IdOf(HttpRequest request) =>
        request.Headers[ProxiedHeader] is [{ Length: > 0 and <= 128 } proxied] ? proxied : request.Headers[Header] is [{ Length: > 0 and <= 128 } id] ? id : null;
}
