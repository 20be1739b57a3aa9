using R1Serverless.Abstractions;

namespace R1Serverless.Auth;

/// <summary>Who sent a request.</summary>
/// <param name="Owner">For <see cref="InferenceRequest.Owner"/>: 16 hexadecimal digits, or empty where no key is asked for.</param>
/// <param name="Name">For operators.</param>
internal sealed record Caller(string Owner, string Name, AccessScopes Scopes, KeyLimits Limits)
{
    /// <summary>Whoever reaches this machine's loopback where no key is asked for.</summary>
    public static Caller Anyone { get; } = new("", "anyone", AccessScopes.Inference | AccessScopes.Admin, KeyLimits.None);

    public static Caller Of(ApiKey key) => new(key.Id, key.Name, key.Scopes, key.Limits);
}
