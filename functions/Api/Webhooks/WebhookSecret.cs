using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace R1Serverless.Api.Webhooks;

/// <summary>Signs webhooks as Standard Webhooks says. A class, so that nothing prints the key by the way.</summary>
internal sealed class WebhookSecret
{
    public const string Variable = "R1_WEBHOOK_SECRET";

    private const string Prefix = "whsec_";
    private const int ShortestKey = 24, LongestKey = 64;

    private readonly byte[] _key;

    private WebhookSecret(byte[] key) => _key = key;

    /// <summary>From <c>whsec_</c> and a key of 24 to 64 bytes in base64; null if it is none.</summary>
    public static WebhookSecret? Parse(string text)
    {
        var key = new byte[LongestKey];
        var digits = text.AsSpan().Trim();
        if (digits.StartsWith(Prefix)) digits = digits[Prefix.Length..];
        return Convert.TryFromBase64Chars(digits, key, out var length) && length >= ShortestKey ? new WebhookSecret(key[..length]) : null;
    }

    /// <summary>For the header webhook-signature: <c>v1,</c> and the HMAC-SHA256 of <c>{id}.{timestamp}.{body}</c> in base64.</summary>
    /// <param name="timestamp">In Unix seconds.</param>
    public string Sign(string id, long timestamp, ReadOnlySpan<byte> body)
    {
        using var hash = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, _key);
        hash.AppendData(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{id}.{timestamp}.")));
        hash.AppendData(body);
        return "v1," + Convert.ToBase64String(hash.GetHashAndReset());
    }
}
