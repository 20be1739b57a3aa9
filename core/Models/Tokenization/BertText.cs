using System.Globalization;
using System.Text;

namespace R1Serverless.Models.Tokenization;

/// <summary>What BERT's tokenizer does to characters, as Hugging Face's library has it (tokenizers/src/normalizers/bert.rs and
/// pre_tokenizers/bert.rs).</summary>
internal static class BertText
{
    /// <summary>What has Unicode's property White_Space.</summary>
    public const string WhiteSpace = @"[\t-\r\x85\p{Z}]";

    /// <summary>All of ASCII that is neither a letter nor a digit counts, such as a dollar sign.</summary>
    public const string Punctuation = @"[!-/:-@\[-`{-~\p{P}]";

    /// <summary>Without control characters, and with one kind of white space.</summary>
    public static string Clean(string text) => Map(text, (rune, cleaned) =>
    {
        // In this order: other control characters that are white space, such as U+0085, go.
        if (rune.Value is '\t' or '\n' or '\r') cleaned.Append(' ');
        else if (rune.Value is not 0xFFFD && Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format
            or UnicodeCategory.PrivateUse)) cleaned.Append(Rune.IsWhiteSpace(rune) ? new Rune(' ') : rune);
    });

    /// <summary>Each Chinese character a word of its own.</summary>
    public static string Spaced(string text) => Map(text, (rune, spaced) =>
    {
        if (IsChinese(rune.Value)) spaced.Append(' ').Append(rune).Append(' ');
        else spaced.Append(rune);
    });

    /// <summary>Without marks that stand above or below another character.</summary>
    public static string WithoutMarks(string text) => Map(text, (rune, kept) =>
    {
        if (Rune.GetUnicodeCategory(rune) != UnicodeCategory.NonSpacingMark) kept.Append(rune);
    });

    /// <summary>Without any marks.</summary>
    public static string WithoutAllMarks(string text) => Map(text, (rune, kept) =>
    {
        if (Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark
            or UnicodeCategory.EnclosingMark)) kept.Append(rune);
    });

    /// <summary>Character by character, whatever stands beside it: a capital sigma is never a final one.</summary>
    public static string Lower(string text) => Map(text, (rune, lower) =>
    {
        if (rune.Value == 'İ') lower.Append("i\u0307");
        else lower.Append(Rune.ToLowerInvariant(rune));
    });

    private static string Map(string text, Action<Rune, StringBuilder> add)
    {
        StringBuilder mapped = new(text.Length);
        foreach (var rune in text.EnumerateRunes()) add(rune, mapped);
        return mapped.ToString();
    }

    private static bool IsChinese(int character) => character is (>= 0x4E00 and <= 0x9FFF) or (>= 0x3400 and <= 0x4DBF) or (>= 0x20000 and <= 0x2A6DF)
        or (>= 0x2A700 and <= 0x2B73F) or (>= 0x2B740 and <= 0x2B81F) or (>= 0x2B920 and <= 0x2CEAF) or (>= 0xF900 and <= 0xFAFF)
        or (>= 0x2F800 and <= 0x2FA1F);
}
