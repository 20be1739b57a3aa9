using R1Serverless.OpenAi;

namespace R1Serverless.Access;

/// <summary>Takes access tokens (JWT) of Microsoft Entra, or of another OpenID provider. What checks them is loaded with the first one: a start should not pay for it.</summary>
/// <param name="options">Without a <see cref="EntraOptions.Refusal"/>.</param>
internal sealed class EntraTokens(EntraOptions options, TimeProvider time, ILogger<EntraTokens> log)
{
    /// <summary>The app roles that stand for the two scopes.</summary>
    public const string InferenceRole = "R1.Inference", AdminRole = "R1.Admin";

    private readonly Lazy<TokenCheck> _check = new(() => new TokenCheck(options, time, log));

    /// <summary>Whether it has the form of a token: no key has.</summary>
    public static bool IsToken(string text) => text.StartsWith("eyJ", StringComparison.Ordinal) && text.AsSpan().Count('.') == 2;

    /// <summary>Whose token it is, or why it opens nothing.</summary>
    public ValueTask<(Caller? Caller, ApiError? Refusal)> FindAsync(string token, CancellationToken cancellationToken) => _check.Value.FindAsync(token, cancellationToken);
}
