using R1Serverless.Azure.KeyVault;
using R1Serverless.Storage;

namespace R1Serverless.Auth;

/// <summary>From what an operator writes to a key source. Nothing is reached yet.</summary>
internal static class KeySources
{
    /// <summary>Why this names no place for keys; null where it does.</summary>
    public static string? Refusal(string place) => !IsAddress(place) || VaultKeys.IsSecret(place)
        ? null
        : "an address must be that of a secret in Azure Key Vault, such as https://NAME.vault.azure.net/secrets/api-keys";

    /// <param name="place">Without a <see cref="Refusal"/>.</param>
    public static KeySource Create(string place) => IsAddress(place) ? new VaultKeys(new Uri(place)) : new KeyFile(Path.GetFullPath(place));

    private static bool IsAddress(string place) => place.Contains("://", StringComparison.Ordinal);
}
