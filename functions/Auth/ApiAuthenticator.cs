using R1Serverless.Api.OpenAI;

namespace R1Serverless.Auth;

/// <summary>Who may come in, and whereto. Not by ASP.NET's own handlers and policies: measured, they cost a start 26 ms of processor time and its
/// first call as much again, and what is told here (503 while keys load, 403 before 404) needs as much code around them.</summary>
/// <param name="tokens">Loaded with the first token: a start should not pay for it. Null where none are taken.</param>
internal sealed class ApiAuthenticator(AccessRules rules, ActiveKeys keys, TimeProvider time, Lazy<EntraTokens>? tokens = null)
{
    /// <summary>A request that comes before the keys have been read waits for them for so long.</summary>
    public static readonly TimeSpan LongestLoading = TimeSpan.FromSeconds(10);

    private static readonly PathString AdminPath = new("/manage"), MetricsPath = new("/metrics"), Root = new("/");
    private static readonly TimeSpan RetryLater = TimeSpan.FromSeconds(2);

    private static readonly ApiError NoKeys = ApiError.Forbidden(
        "This service has no keys yet, so it lets nobody in. Its operator makes them with r1 keys create, and names their place in the setting "
        + "R1_KEYS.", "no_keys_configured");

    /// <summary>The caller, or why it is turned away.</summary>
    public async ValueTask<(Caller? Caller, ApiError? Refusal)> AdmitAsync(HttpContext context)
    {
        if (Credentials.InAddress(context.Request.Query) is { } name)
        {
            return (null, ApiError.Invalid(
                "Keys don't belong into addresses, which are written down in many places: send the header 'Authorization: Bearer KEY' instead of "
                + $"'{name}', and if that was a real key, have it rotated.",
                name, "key_in_address"));
        }

        var needed = Needed(context.Request.Path);
        if (!rules.AreKeysRequired) return rules.IsOpenWithout || needed == AccessScopes.None ? (Caller.Anyone, null) : (null, NoKeys);
        if (Credentials.Read(context.Request.Headers) is not { } secret) return (null, ApiError.Unauthorized);
        var (caller, refusal) = tokens is not null && Credentials.IsToken(secret)
            ? await tokens.Value.FindAsync(secret, context.RequestAborted)
            : await FindAsync(secret, context.RequestAborted);
        if (caller is null) return (null, refusal);
        return needed == AccessScopes.None || (caller.Scopes & needed) != AccessScopes.None ? (caller, null) : (null, Refusal(needed));
    }

    private async ValueTask<(Caller? Caller, ApiError? Refusal)> FindAsync(string secret, CancellationToken cancellationToken)
    {
        if (!keys.Loaded.IsCompleted && !await IsLoadedAsync(cancellationToken))
            return (null, ApiError.Unavailable("The API keys can't be read right now.", "keys_unavailable", RetryLater));
        return keys.Ring.Find(secret, time.GetUtcNow()) is { } key ? (Caller.Of(key), null) : (null, ApiError.Unauthorized);
    }

    // As routing does, whatever the case of the letters.
    private static AccessScopes Needed(PathString path) =>
        path.StartsWithSegments(AdminPath, StringComparison.OrdinalIgnoreCase) ? AccessScopes.Admin
        : path == Root ? AccessScopes.None
        // Any of them: a scraper's key need open nothing else.
        : path.Equals(MetricsPath, StringComparison.OrdinalIgnoreCase) ? AccessScopes.Inference | AccessScopes.Admin
        : AccessScopes.Inference;

    private static ApiError Refusal(AccessScopes needed) => ApiError.Forbidden(
        needed == AccessScopes.Admin
            ? "This is for operators: it needs a key made with --admin, or the role R1.Admin."
            : "This needs a key for inference, or the role R1.Inference; what was sent is for something else.");

    private async ValueTask<bool> IsLoadedAsync(CancellationToken cancellationToken)
    {
        var loaded = keys.Loaded.WaitAsync(LongestLoading, time, cancellationToken);
        await loaded.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
        return loaded.IsCompletedSuccessfully;
    }
}
