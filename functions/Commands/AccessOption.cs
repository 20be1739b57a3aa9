using System.CommandLine;
using R1Serverless.Auth;
using R1Serverless.Serving;
using R1Serverless.Storage;

namespace R1Serverless.Commands;

/// <summary>What <c>r1 serve</c> is told about who may call: <c>--api-key</c>, <c>--keys</c>, <c>--entra-…</c>.</summary>
internal static class AccessOption
{
    private const string KeyVariable = "R1_API_KEY";

    private static readonly Option<string?> ApiKey = new("--api-key")
    {
        Description = $"A key for inference, or several separated by ','. Better set {KeyVariable}: a command line can be seen by others.",
        HelpName = "KEY",
    };

    private static readonly Option<string?> Keys =
        CommonOptions.Keys("Where named keys are kept, with limits and expiry, and changed while this runs (see `r1 keys`)");

    private static readonly Option<string?> Tenant = new("--entra-tenant")
    {
        Description =
            $"The id of a Microsoft Entra tenant whose tokens are taken beside keys: the app roles {EntraOptions.InferenceRole} and "
            + $"{EntraOptions.AdminRole} say what for (also {EntraOptions.TenantVariable}).",
        HelpName = "ID",
    };

    private static readonly Option<string?> Audience = new("--entra-audience")
    {
        Description =
            "Whom tokens must be for: this service's client id or application id URI, or several separated by ',' (also "
            + $"{EntraOptions.AudienceVariable}).",
        HelpName = "AUDIENCE",
    };

    private static readonly Option<string?> Authority = new("--entra-authority")
    {
        Description =
            "Another OpenID provider's address instead of a tenant's, where /.well-known/openid-configuration is found (also "
            + $"{EntraOptions.AuthorityVariable}).",
        HelpName = "URL",
    };

    public static IReadOnlyList<Option> All { get; } = [ApiKey, Keys, Tenant, Audience, Authority];

    public static ServeOptions Read(ParseResult arguments, ServeOptions options) => options with
    {
        ApiKeys = Split(TextOption.Said(arguments, ApiKey, KeyVariable)),
        Keys = CommonOptions.ReadKeys(arguments, Keys) is { } place ? KeySources.Create(place) : null,
        Entra = EntraOptions.Of(
            TextOption.Said(arguments, Tenant, EntraOptions.TenantVariable),
            Split(TextOption.Said(arguments, Audience, EntraOptions.AudienceVariable)),
            TextOption.Said(arguments, Authority, EntraOptions.AuthorityVariable)),
    };

    /// <summary>Why nobody could come in this way, and what to do; null where somebody can, or where it takes the network to find out.</summary>
    public static async Task<string?> RefusalAsync(ServeOptions options, CancellationToken cancellationToken)
    {
        if (options.Entra?.Refusal is { } refusal) return refusal;
        if (options.Keys is not KeyFile file) return null;
        try
        {
            if (await file.ReadAsync(cancellationToken) is not { } content)
                return $"There is no {file.Description}: make the first key with r1 keys create NAME --keys {file.Description}";
            KeyFileFormat.Read(content);
            return null;
        }
        catch (Exception fault) when (fault is InvalidKeysException or KeySourceException)
        {
            return $"The keys in {file.Description} can't be used: {fault.Message}";
        }
    }

    private static string[] Split(string? text) => (text ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
