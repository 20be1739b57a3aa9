using System.Security.Cryptography;
using System.Text;

namespace R1Serverless.Queues.Batches;

/// <summary>Ids of batches and files: they sort by the time of their making, and are safe as names of objects.</summary>
internal static class StoreId
{
    private const string Digits = "0123456789abcdefghijklmnopqrstuv";
    private const int TimeDigits = 9, RandomDigits = 15, Longest = 100;

    /// <param name="prefix">Such as <c>batch_</c>.</param>
    public static string New(string prefix, DateTimeOffset now)
    {
        Span<char> time = stackalloc char[TimeDigits];
        var milliseconds = now.ToUnixTimeMilliseconds();
        for (var i = TimeDigits - 1; i >= 0; i--, milliseconds >>= 5) time[i] = Digits[(int)(milliseconds & 31)];
        return string.Concat(prefix, time, RandomNumberGenerator.GetString(Digits, RandomDigits));
    }

    /// <summary>The same id for the same text.</summary>
    public static string Of(string prefix, string text) => prefix + Hash(text)[..24];

    /// <summary>Whether a client's text may be asked for at all.</summary>
    public static bool IsPossible(string id) =>
        id.Length is > 0 and <= Longest && id[0] != '.' && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');

    /// <summary>The folder of an owner's index.</summary>
    public static string Folder(string owner) => Hash(owner)[..32];

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
