using System.Security.Cryptography;
using System.Text;

namespace R1Serverless.Hosting;

/// <summary>The keys that open the API. Only their hashes are held, and comparing takes the same time wherever a guess goes wrong.</summary>
internal sealed class ApiKeys
{
    private const string Scheme = "Bearer ";
    private readonly byte[][] _hashes;

    public ApiKeys(IReadOnlyList<string> keys) => _hashes = [.. keys.Select(Hash)];

    /// <summary>Whether a key is asked for at all.</summary>
    public bool AreRequired => _hashes.Length > 0;

    public static IReadOnlyList<string> Split(string keys) =>
        keys.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <param name="authorization">The Authorization header, or null.</param>
    public bool Accept(string? authorization)
    {
        if (!AreRequired) return true;
        if (authorization is null || !authorization.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase)) return false;
        byte[] offered = Hash(authorization[Scheme.Length..].Trim());
        bool found = false;
        foreach (byte[] hash in _hashes) found |= CryptographicOperations.FixedTimeEquals(hash, offered);
        return found;
    }

    private static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));
}
