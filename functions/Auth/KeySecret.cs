using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace R1Serverless.Auth;

/// <summary>
/// The key that a client sends: <c>r1_</c> and 256 random bits in base64url. One plain hash is right for it: what makes hashes of passwords slow and
/// salted is that they can be guessed, and nobody guesses 256 bits.
/// </summary>
internal static class KeySecret
{
    public const string Prefix = "r1_";
    public const int HashBytes = SHA256.HashSizeInBytes;
    private const int SecretBytes = 32, IdBytes = 8, StackBytes = 256;

    public static string New() => Prefix + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(SecretBytes));

    /// <summary>See <see cref="ApiKey.Id"/>.</summary>
    public static string NewId() => RandomNumberGenerator.GetHexString(2 * IdBytes, lowercase: true);

    /// <summary>The id of a key that has none of its own: the first 16 digits of its hash.</summary>
    public static string IdOf(string sha256) => sha256[..(2 * IdBytes)];

    public static bool IsId(string text) => text.Length == 2 * IdBytes && IsHex(text);

    /// <summary>SHA-256 of the key in UTF-8, as 64 lower-case hexadecimal digits.</summary>
    public static string Hash(string secret)
    {
        Span<byte> hash = stackalloc byte[HashBytes];
        Hash(secret, hash);
        return Convert.ToHexStringLower(hash);
    }

    /// <param name="hash"><see cref="HashBytes"/> bytes.</param>
    public static void Hash(ReadOnlySpan<char> secret, Span<byte> hash)
    {
        var most = Encoding.UTF8.GetMaxByteCount(secret.Length);
        var bytes = most <= StackBytes ? stackalloc byte[StackBytes] : new byte[most];
        SHA256.HashData(bytes[..Encoding.UTF8.GetBytes(secret, bytes)], hash);
        CryptographicOperations.ZeroMemory(bytes);
    }

    public static bool IsHash(string text) => text.Length == 2 * HashBytes && IsHex(text);

    private static bool IsHex(string text) => text.All(char.IsAsciiHexDigitLower);
}
