using System.CommandLine;
using R1Serverless.Access;
using R1Serverless.Hosting;

namespace R1Serverless.Commands;

/// <summary>What <c>r1 serve</c> is told about who may call: <c>--api-key</c>, <c>--keys</c>.</summary>
internal static class AccessOption
{
    private const string KeyVariable = "R1_API_KEY";

    private static readonly Option<string?> ApiKey = new("--api-key")
    {
        Description = $"A key for inference, or several separated by ','. Better set {KeyVariable}: a command line can be seen by others.",
        HelpName = "KEY",
    };

    private static readonly Option<string?> Keys = KeysOption.Create("Where named keys are kept, with limits and expiry, and changed while this runs (see `r1 keys`)");

    private static readonly Option<string?> Tenant = new("--entra-tenant")
    {
        Description = $"The id of a Microsoft Entra tenant whose tokens are taken beside keys: the app roles {EntraTokens.InferenceRole} and {EntraTokens.AdminRole} say what for (also {EntraOptions.TenantVariable}).",
        HelpName = "ID",
    };

    private static readonly Option<string?> Audience = new("--entra-audience")
    {
        Description = $"Whom tokens must be for: this service's client id or application id URI, or several separated by ',' (also {EntraOptions.AudienceVariable}).",
        HelpName = "AUDIENCE",
    };

    private static readonly Option<string?> Authority = new("--entra-authority")
    {
        Description = $"Another OpenID provider's address instead of a tenant's, where /.well-known/openid-configuration is found (also {EntraOptions.AuthorityVariable}).",
        HelpName = "URL",
    };

    public static void AddTo(Command command)
    {
        foreach (Option option in (Option[])[ApiKey, Keys, Tenant, Audience, Authority]) command.Options.Add(option);
    }

    public static ServeOptions Read(ParseResult arguments, ServeOptions options) => options with
    {
        ApiKeys = Split(Said(arguments, ApiKey, KeyVariable)),
        Keys = KeysOption.Read(arguments, Keys) is { } place ? KeySources.Create(place) : null,
        Entra = EntraOptions.Of(Said(arguments, Tenant, EntraOptions.TenantVariable), Split(Said(arguments, Audience, EntraOptions.AudienceVariable)), Said(arguments, Authority, EntraOptions.AuthorityVariable)),
    };

    /// <summary>Why nobody could come in this way, and what to do; null where somebody can, or where it takes the network to find out.</summary>
    public static async Task<string?> RefusalAsync(ServeOptions options, CancellationToken cancellationToken) =>
        options.Entra?.Refusal ?? await KeysRefusalAsync(options, cancellationToken);

    private static async Task<string?> KeysRefusalAsync(ServeOptions options, CancellationToken cancellationToken)
    {
        if (options.Keys is not KeyFile file) return null;
        try
        {
            if (await file.ReadAsync(cancellationToken) is not { } content) return $"There is no {file.Description}: make the first key with r1 keys create NAME --keys {file.Description}";
            KeyFileReader.Read(content);
            return null;
        }
        catch (Exception fault) when (fault is InvalidKeysException or KeySourceException)
        {
            return $"The keys in {file.Description} can't be used: {fault.Message}";
        }
    }

    private static string? Said(ParseResult arguments, Option<string?> option, string variable) =>
        arguments.GetValue(option) ?? (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : null);

    private static string[] Split(string? text) => (text ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
