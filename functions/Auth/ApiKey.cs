using System.Text.Json.Serialization;

namespace R1Serverless.Auth;

/// <summary>A key as it is kept, and as it stands in a key file: who holds it and what for, never the key itself.</summary>
/// <param name="Name">For people: 1 to 64 letters, digits, dots, hyphens and underscores, a letter or digit first.</param>
/// <param name="Id">Owns the requests, files and batches sent with the key; 16 lower-case hexadecimal digits that stay when the key is
/// rotated.</param>
/// <param name="Sha256">Of the key, see <see cref="KeySecret.Hash(string)"/>.</param>
internal sealed record ApiKey(
    [property: JsonConverter(typeof(KeyName))] string Name, [property: JsonConverter(typeof(KeyId))] string Id,
    [property: JsonConverter(typeof(KeyHash))] string Sha256)
{
    public const string NameForm = "1 to 64 letters, digits, dots, hyphens or underscores, a letter or digit first";

    private const int LongestName = 64;

    [JsonRequired, JsonConverter(typeof(ScopeNames))]
    public AccessScopes Scopes { get; init; } = AccessScopes.Inference;

    [JsonConverter(typeof(OptionalUtcTime))]
    public DateTimeOffset? Created { get; init; }

    /// <summary>From when on it opens nothing; null for never.</summary>
    [JsonConverter(typeof(OptionalUtcTime))]
    public DateTimeOffset? Expires { get; init; }

    /// <summary>What the key was before it was rotated; null where that opens nothing.</summary>
    public PreviousKey? Previous { get; init; }

    [JsonIgnore]
    public KeyLimits Limits { get; init; } = KeyLimits.None;

    /// <summary>As they stand in the file: not at all where there are none.</summary>
    [JsonPropertyName("limits")]
    public KeyLimits? SetLimits
    {
        get => Limits == KeyLimits.None ? null : Limits;
        init => Limits = value ?? KeyLimits.None;
    }

    public static bool IsName(string name) =>
        name.Length is > 0 and <= LongestName && char.IsAsciiLetterOrDigit(name[0])
            && name.All(one => char.IsAsciiLetterOrDigit(one) || one is '.' or '-' or '_');
}

/// <param name="Expires">From when on it opens nothing.</param>
internal sealed record PreviousKey(
    [property: JsonConverter(typeof(KeyHash))] string Sha256, [property: JsonConverter(typeof(UtcTime))] DateTimeOffset Expires);

/// <summary>What one key may do at most, in each gateway process. Null means no limit of the key's own.</summary>
/// <param name="MaxConcurrent">Requests that wait and run while their clients wait, from 1.</param>
/// <param name="MaxQueued">Requests that wait without their clients, from 1.</param>
/// <param name="RequestsPerMinute">Calls that make work, from 1.</param>
/// <param name="TokensPerMinute">Tokens of prompts and answers, from 1.</param>
internal sealed record KeyLimits(
    [property: JsonConverter(typeof(WholeNumber))] int? MaxConcurrent = null, [property: JsonConverter(typeof(WholeNumber))] int? MaxQueued = null,
    [property: JsonConverter(typeof(WholeNumber))] int? RequestsPerMinute = null,
    [property: JsonConverter(typeof(WholeNumber))] int? TokensPerMinute = null)
{
    /// <summary>The largest number that any of them may be.</summary>
    public const int Largest = 1_000_000_000;

    public static KeyLimits None { get; } = new();
}

/// <summary>What somebody may do. Neither holds the other: a key that leaks from an app can't touch the queues, and one for the queues runs no
/// models.</summary>
[Flags]
internal enum AccessScopes
{
    None = 0,

    /// <summary>Everything under /v1.</summary>
    Inference = 1,

    /// <summary>Everything under /manage.</summary>
    Admin = 2,
}
