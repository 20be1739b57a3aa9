using System.Security.Cryptography;
using System.Text;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;
using R1Serverless.Api.OpenAI;

namespace R1Serverless.Auth;

/// <summary>
/// Takes access tokens (JWT) of Microsoft Entra, or of another OpenID provider. Checks them against the metadata of their issuer, which are fetched
/// at the first one and again when keys change: issuer, audience, lifetime, signature. Then says whose they are and what for.
/// </summary>
internal sealed partial class EntraTokens
{
    private const int OwnerBytes = 8;

    private const int LargestDocument = 1 << 20;

    private static readonly TimeSpan RetryLater = TimeSpan.FromSeconds(5), ClockSkew = TimeSpan.FromMinutes(2),
        LongestFetch = TimeSpan.FromSeconds(10);

    // What providers sign with; no algorithm with a shared secret, and never none.
    private static readonly string[] Algorithms =
    [
        SecurityAlgorithms.RsaSha256, SecurityAlgorithms.RsaSha384, SecurityAlgorithms.RsaSha512, SecurityAlgorithms.RsaSsaPssSha256,
            SecurityAlgorithms.RsaSsaPssSha384,
        SecurityAlgorithms.RsaSsaPssSha512, SecurityAlgorithms.EcdsaSha256, SecurityAlgorithms.EcdsaSha384, SecurityAlgorithms.EcdsaSha512,
    ];

    private readonly ILogger _log;
    private readonly Uri _metadata;
    private readonly JsonWebTokenHandler _handler = new() { MapInboundClaims = false };
    private readonly ConfigurationManager<OpenIdConnectConfiguration> _provider;
    private readonly TokenValidationParameters _rules;

    /// <param name="options">Without a <see cref="EntraOptions.Refusal"/>.</param>
    public EntraTokens(EntraOptions options, TimeProvider time, ILogger<EntraTokens> log)
    {
        _log = log;
        _metadata = options.Metadata;
        HttpClient client = new() { Timeout = LongestFetch, MaxResponseContentBufferSize = LargestDocument };
        _provider = new ConfigurationManager<OpenIdConnectConfiguration>(
            _metadata.AbsoluteUri, new OpenIdConnectConfigurationRetriever(),
            new HttpDocumentRetriever(client) { RequireHttps = _metadata.Scheme == Uri.UriSchemeHttps });
        _rules = new TokenValidationParameters
        {
            ConfigurationManager = _provider,
            ValidIssuers = options.OtherIssuers,
            ValidAudiences = options.Audiences,
            ValidAlgorithms = Algorithms,
            RequireExpirationTime = true,
            RequireSignedTokens = true,
            LifetimeValidator = (notBefore, expires, _, _) => IsAlive(notBefore, expires, time.GetUtcNow().UtcDateTime),
        };
    }

    /// <summary>Whose token it is, or why it opens nothing.</summary>
    public async ValueTask<(Caller? Caller, ApiError? Refusal)> FindAsync(string token, CancellationToken cancellationToken)
    {
        try
        {
            await _provider.GetConfigurationAsync(cancellationToken);
        }
        catch (Exception fault) when (fault is InvalidOperationException or IOException or HttpRequestException)
        {
            LogUnreachable(_metadata.AbsoluteUri, (fault.InnerException ?? fault).GetType().Name);
            return (null,
                ApiError.Unavailable("Tokens can't be checked right now: their issuer can't be reached.", "issuer_unavailable", RetryLater));
        }

        var result = await _handler.ValidateTokenAsync(token, _rules);
        if (!result.IsValid || result.SecurityToken is not JsonWebToken valid) return (null, ApiError.InvalidToken(Reason(result.Exception)));
        return Read(valid) is { } caller ? (caller, null)
            : (null, ApiError.InvalidToken("The token does not say whose it is: it has neither oid nor sub."));
    }

    private static bool IsAlive(DateTime? notBefore, DateTime? expires, DateTime now) => now < expires + ClockSkew && !(now < notBefore - ClockSkew);

    private static Caller? Read(JsonWebToken token)
    {
        // Without an object id the subject is the caller's name at the provider.
        if ((Claim(token, "oid") ?? Claim(token, "sub")) is not { } subject) return null;
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{Claim(token, "tid") ?? token.Issuer}\n{subject}"));
        return new Caller(Convert.ToHexStringLower(hash.AsSpan(0, OwnerBytes)), subject, Scopes(token), KeyLimits.None);
    }

    /// <summary>Roles are given to people and services one by one; a scope is what an app may do for whoever uses it, which never makes an operator
    /// of somebody.</summary>
    private static AccessScopes Scopes(JsonWebToken token)
    {
        HashSet<string> roles = new(token.Claims.Where(claim => claim.Type == "roles").Select(claim => claim.Value), StringComparer.Ordinal);
        var delegated = token.Claims.Where(claim => claim.Type is "scp" or "scope").SelectMany(claim => claim.Value.Split(' '));
        return (roles.Contains(EntraOptions.InferenceRole) || delegated.Contains(EntraOptions.InferenceRole) ? AccessScopes.Inference
            : AccessScopes.None)
            | (roles.Contains(EntraOptions.AdminRole) ? AccessScopes.Admin : AccessScopes.None);
    }

    private static string? Claim(JsonWebToken token, string name) =>
        token.TryGetClaim(name, out var claim) && claim.Value.Length > 0 ? claim.Value : null;

    // The library's own messages may repeat what stands in the token.
    private static string Reason(Exception? fault) => fault switch
    {
        SecurityTokenInvalidLifetimeException => "The token has expired, or is not valid yet: get a new one.",
        SecurityTokenInvalidAudienceException => "The token was made for another audience than this service.",
        SecurityTokenInvalidIssuerException => "The token is from another issuer than this service trusts.",
        SecurityTokenInvalidAlgorithmException => "The token is signed in a way that is not accepted here.",
        SecurityTokenSignatureKeyNotFoundException => "The token is signed with a key that its issuer does not have.",
        _ => "The token is not valid here.",
    };

    [LoggerMessage(Level = LogLevel.Warning, Message = "Tokens can't be checked: {Metadata} gives no answer ({Fault})")]
    private partial void LogUnreachable(string metadata, string fault);
}
