namespace R1Serverless.Auth;

/// <summary>Whose tokens are taken: a Microsoft Entra tenant's, or another OpenID provider's.</summary>
/// <param name="Tenant">The tenant's id; null where another provider is named.</param>
/// <param name="Audiences">Any of these must stand in a token as its audience.</param>
/// <param name="Authority">Where the provider's metadata are; null for the tenant's.</param>
internal sealed record EntraOptions(string? Tenant, IReadOnlyList<string> Audiences, string? Authority = null)
{
    public const string TenantVariable = "R1_ENTRA_TENANT", AudienceVariable = "R1_ENTRA_AUDIENCE", AuthorityVariable = "R1_ENTRA_AUTHORITY";

    /// <summary>The app roles that stand for the two scopes.</summary>
    public const string InferenceRole = "R1.Inference", AdminRole = "R1.Admin";

    /// <summary>Null where nothing is said.</summary>
    public static EntraOptions? Of(string? tenant, IReadOnlyList<string> audiences, string? authority) =>
        tenant is null && authority is null && audiences.Count == 0 ? null : new EntraOptions(tenant, audiences, authority);

    /// <summary>Why these options make no sense, and what to do; null where they do.</summary>
    public string? Refusal => this switch
    {
        { Tenant: null, Authority: null } => "--entra-audience needs --entra-tenant with the tenant's id, or --entra-authority.",
        { Audiences.Count: 0 } => "Tokens must be made for this service: give its client id or application id URI in --entra-audience.",
        { Tenant: { } tenant } when !Guid.TryParseExact(tenant, "D", out _) =>
            "--entra-tenant must be the tenant's id, such as 72f988bf-86f1-41af-91ab-2d7cd011db47.",
        { Authority: { } authority } when !IsAuthority(authority) =>
            "--entra-authority must be an address with https, such as https://login.example.com/v2.0 (http only on this machine).",
        _ => null,
    };

    public Uri Metadata => new((Authority ?? $"https://login.microsoftonline.com/{Tenant}/v2.0").TrimEnd('/') + "/.well-known/openid-configuration");

    /// <summary>Issuers beside the one that the metadata name: an app that asks for tokens of version 1 gets them from here.</summary>
    public IReadOnlyList<string> OtherIssuers => Authority is null ? [$"https://sts.windows.net/{Tenant}/"] : [];

    private static bool IsAuthority(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri)
            && (uri.Scheme == Uri.UriSchemeHttps || (uri.Scheme == Uri.UriSchemeHttp && uri.IsLoopback)) && uri is { Query: "", Fragment: "" };
}
