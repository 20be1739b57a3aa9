using System.Runtime.InteropServices;
using System.Text.Json;

namespace R1Serverless.Api.OpenInference;

/// <summary>
/// NaN, Infinity and -Infinity (or Inf, -Inf) in JSON, which has no such numbers: Triton reads and writes these words all the same. Here they become
/// strings of equal length before the JSON is read, filled with a byte that stands in no text.
/// </summary>
internal static class NonFiniteNumbers
{
    private const byte NaNMark = 0xFF, PositiveMark = 0xFE, NegativeMark = 0xFD;

    /// <summary>Puts the strings in the words' places.</summary>
    /// <param name="json">Valid UTF-8; it need not be valid JSON.</param>
    public static void Quote(Span<byte> json)
    {
        if (json.IndexOf("NaN"u8) < 0 && json.IndexOf("Inf"u8) < 0) return;
        var at = 0;
        while (json[at..].IndexOfAny((byte)'"', (byte)'N', (byte)'I') is >= 0 and var next)
        {
            at += next;
            at = json[at] == '"' ? EndOfText(json, at + 1) : QuoteWord(json, at);
        }
    }

    /// <summary>The number that such a string stands for; null where it is none. Clients whose JSON has no such words send NaN, Infinity and
    /// -Infinity as strings.</summary>
    public static double? Find(ReadOnlySpan<byte> text) =>
        text is [NaNMark, ..] || text.SequenceEqual("NaN"u8) ? double.NaN
        : text is [PositiveMark, ..] || text.SequenceEqual("Infinity"u8) ? double.PositiveInfinity
        : text is [NegativeMark, ..] || text.SequenceEqual("-Infinity"u8) ? double.NegativeInfinity
        : null;

    /// <summary>The word that stood in a string's place; null where the string was one before.</summary>
    public static string? Quoted(JsonElement text) => JsonMarshal.GetRawUtf8Value(text) switch
    {
        [(byte)'"', NaNMark, ..] => "NaN",
        [(byte)'"', PositiveMark, ..] => "Infinity",
        [(byte)'"', NegativeMark, ..] => "-Infinity",
        _ => null,
    };

    public static ReadOnlySpan<byte> Word(double value) =>
        double.IsNaN(value) ? "NaN"u8 : value > 0 ? "Infinity"u8 : "-Infinity"u8;

    private static int EndOfText(ReadOnlySpan<byte> json, int at)
    {
        while (json[Math.Min(at, json.Length)..].IndexOfAny((byte)'"', (byte)'\\') is >= 0 and var next)
        {
            at += next;
            if (json[at] == '"') return at + 1;
            at += 2;
        }

        return json.Length;
    }

    private static int QuoteWord(Span<byte> json, int at)
    {
        var rest = json[at..];
        var length = rest.StartsWith("NaN"u8) ? 3 : rest.StartsWith("Infinity"u8) ? 8 : rest.StartsWith("Inf"u8) ? 3 : 0;
        if (length == 0) return at + 1;
        var isNegative = rest[0] == 'I' && at > 0 && json[at - 1] == '-';
        var word = isNegative ? json.Slice(at - 1, length + 1) : json.Slice(at, length);
        word.Fill(rest[0] == 'N' ? NaNMark : isNegative ? NegativeMark : PositiveMark);
        word[0] = word[^1] = (byte)'"';
        return at + length;
    }
}
