namespace R1Serverless.Access;

/// <summary>What somebody may do. Neither holds the other: a key that leaks from an app can't touch the queues, and one for the queues runs no models.</summary>
[Flags]
internal enum AccessScopes
{
    None = 0,

    /// <summary>Everything under /v1.</summary>
    Inference = 1,

    /// <summary>Everything under /manage.</summary>
    Admin = 2,
}

/// <summary>The scopes as they stand in key files.</summary>
internal static class ScopeName
{
    public const string Inference = "inference", Admin = "admin";

    /// <summary>None where there is no such scope.</summary>
    public static AccessScopes Parse(string? name) => name switch
    {
        Inference => AccessScopes.Inference,
        Admin => AccessScopes.Admin,
        _ => AccessScopes.None,
    };

    public static IEnumerable<string> Of(AccessScopes scopes)
    {
        if (scopes.HasFlag(AccessScopes.Inference)) yield return Inference;
        if (scopes.HasFlag(AccessScopes.Admin)) yield return Admin;
    }
}
