namespace R1Serverless.Access;

/// <summary>A key as it is kept: who holds it and what for, never the key itself.</summary>
/// <param name="Name">For people: 1 to 64 letters, digits, dots, hyphens and underscores, a letter or digit first.</param>
/// <param name="Id">Owns the requests, files and batches sent with the key; 16 lower-case hexadecimal digits that stay when the key is rotated.</param>
/// <param name="Sha256">Of the key, see <see cref="KeySecret.Hash(string)"/>.</param>
internal sealed record NamedKey(string Name, string Id, string Sha256)
{
    public const int LongestName = 64;

    public AccessScopes Scopes { get; init; } = AccessScopes.Inference;

    public KeyLimits Limits { get; init; } = KeyLimits.None;

    public DateTimeOffset? Created { get; init; }

    /// <summary>From when on it opens nothing; null for never.</summary>
    public DateTimeOffset? Expires { get; init; }

    /// <summary>What the key was before it was rotated; null where that opens nothing.</summary>
    public PreviousKey? Previous { get; init; }

    public static bool IsName(string name) =>
        name.Length is > 0 and <= LongestName && char.IsAsciiLetterOrDigit(name[0]) && name.All(one => char.IsAsciiLetterOrDigit(one) || one is '.' or '-' or '_');
}

/// <param name="Expires">From when on it opens nothing.</param>
internal sealed record PreviousKey(string Sha256, DateTimeOffset Expires);
