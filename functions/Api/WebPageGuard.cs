using R1Serverless.Api.OpenAI;
using R1Serverless.Auth;
using R1Serverless.Serving;

namespace R1Serverless.Api;

/// <summary>
/// What web pages may do here. A browser on this machine reaches loopback for any page that it shows: under the page's own name, where that name has
/// been made to mean 127.0.0.1 (DNS rebinding), or with the page's origin in <c>Origin</c>. Where no key is asked for, both are refused on every
/// route. Pages of <see cref="ServeOptions.CorsOrigins"/> may call (https://fetch.spec.whatwg.org/#http-cors-protocol).
/// </summary>
internal sealed class WebPageGuard
{
    private const string PreflightSeconds = "7200";

    private readonly bool _isKeyless;
    private readonly bool _allowsAny;
    private readonly HashSet<string> _origins;
    private readonly HashSet<string> _names;

    public WebPageGuard(ServeOptions options, AccessRules rules)
    {
        // Behind a front end nobody comes in without a key, and the names are the front end's.
        _isKeyless = !rules.AreKeysRequired && rules.IsOpenWithout;
        _allowsAny = options.CorsOrigins.Contains(WebOrigin.Any);
        _origins = new HashSet<string>(options.CorsOrigins, StringComparer.OrdinalIgnoreCase);
        _names = new HashSet<string>(options.Urls.Select(url => BindingAddress.Parse(url).Host), StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>Whether the request goes on; else it has been answered.</summary>
    public async ValueTask<bool> AdmitAsync(HttpContext context)
    {
        var request = context.Request;
        if (_isKeyless && !IsOwnName(context))
        {
            await ErrorAnswers.WriteAsync(context, ApiError.Forbidden(
                $"Without API keys this server answers to the names of this machine's loopback only, such as localhost, not to "
                + $"'{Truncated.Name(request.Host.Host)}'.", "host_not_allowed"));
            return false;
        }

        var origin = request.Headers.Origin.ToString();
        if (origin.Length == 0) return true;
        if (_allowsAny || _origins.Contains(origin)) return !Allow(context, origin);
        if (!_isKeyless || IsSameOrigin(request, origin)) return true;
        await ErrorAnswers.WriteAsync(context, ApiError.Forbidden(
            $"Pages of '{Truncated.Name(origin)}' may not call this server; its operator may allow them with --cors-origin.", "origin_not_allowed"));
        return false;
    }

    /// <summary>Lets the page read the answer; true where it asked no more than whether it may call, which has been answered.</summary>
    private bool Allow(HttpContext context, string origin)
    {
        var headers = context.Response.Headers;
        headers.AccessControlAllowOrigin = _allowsAny ? WebOrigin.Any : origin;
        headers.AccessControlExposeHeaders = "*";
        headers.Vary = "Origin";
        var asked = context.Request.Headers;
        if (!HttpMethods.IsOptions(context.Request.Method) || asked.AccessControlRequestMethod.Count == 0) return false;
        headers.AccessControlAllowMethods = "GET, HEAD, POST, DELETE";
        headers.AccessControlAllowHeaders = asked.AccessControlRequestHeaders;
        headers.AccessControlMaxAge = PreflightSeconds;
        // Of pages from the internet Chromium asks this too before it lets them call a machine of the local network.
        if (asked.ContainsKey("Access-Control-Request-Private-Network")) headers["Access-Control-Allow-Private-Network"] = "true";
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        return true;
    }

    // A Unix socket has no address; browsers don't reach it.
    private bool IsOwnName(HttpContext context) =>
        context.Connection.LocalIpAddress is null || context.Request.Host.Host is var name
            && (_names.Contains(name) || ListenAddresses.IsLoopback(name.TrimEnd('.')));

    // A proxy may have taken the encryption off.
    private static bool IsSameOrigin(HttpRequest request, string origin) =>
        origin.Equals($"{request.Scheme}://{request.Host.Value}", StringComparison.OrdinalIgnoreCase)
        || origin.Equals($"{Uri.UriSchemeHttps}://{request.Host.Value}", StringComparison.OrdinalIgnoreCase);
}
