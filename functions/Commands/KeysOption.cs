using System.CommandLine;
using R1Serverless.Access;

namespace R1Serverless.Commands;

/// <summary><c>--keys</c>: where named keys are kept; the same for the server and for the commands that change them.</summary>
internal static class KeysOption
{
    private const string Variable = "R1_KEYS";

    /// <param name="what">Without a full stop.</param>
    public static Option<string?> Create(string what)
    {
        Option<string?> option = new("--keys")
        {
            Description = $"{what}: a file, or the address of a secret in Azure Key Vault, such as https://NAME.vault.azure.net/secrets/api-keys (also {Variable}).",
            HelpName = "PLACE",
        };
        option.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var place }] && KeySources.Refusal(place) is { } refusal) result.AddError($"--keys: {refusal}");
        });
        return option;
    }

    /// <summary>What was said on the command line or in the environment; null for nothing.</summary>
    public static string? Read(ParseResult arguments, Option<string?> option) =>
        arguments.GetValue(option) ?? (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } place ? place : null);
}
