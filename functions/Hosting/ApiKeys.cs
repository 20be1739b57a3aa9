using System.Security.Cryptography;
using System.Text;

namespace R1Serverless.Hosting;

/// <summary>The keys that open the API. Only their hashes are held, and comparing takes the same time wherever a guess goes wrong.</summary>
internal sealed class ApiKeys
{
    private const string Scheme = "Bearer ";
    private const int OwnerBytes = 8;
    private readonly byte[][] _hashes;

    public ApiKeys(IReadOnlyList<string> keys) => _hashes = [.. keys.Select(Hash)];

    /// <summary>Whether a key is asked for at all.</summary>
    public bool AreRequired => _hashes.Length > 0;

    public static IReadOnlyList<string> Split(string keys) =>
        keys.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>Who sent a request: the first 16 hexadecimal digits of the key's SHA-256, empty where no key is asked for; null if the key opens nothing.</summary>
    /// <param name="authorization">The Authorization header, or null.</param>
    public string? Owner(string? authorization)
    {
        if (!AreRequired) return "";
        if (authorization is null || !authorization.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)) return null;
        byte[] offered = Hash(authorization[Scheme.Length..].Trim());
        bool found = false;
        foreach (byte[] hash in _hashes) found |= CryptographicOperations.FixedTimeEquals(hash, offered);
        return found ? Convert.ToHexStringLower(offered.AsSpan(0, OwnerBytes)) : null;
    }

    private static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}
