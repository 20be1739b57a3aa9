using System.Globalization;
using System.Text;

namespace R1Serverless.Models.Templates;

/// <summary>How Python writes values, and counts and classifies the characters of strings.</summary>
internal static class PythonText
{
    /// <summary>What <c>str.isspace</c> takes: .NET's white space and the four separators of ASCII.</summary>
    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1c' and <= '\x1f';

    /// <summary>A float as short as it can be read back: 1.0, 0.1, 1e+16, 1e-05, inf, nan.</summary>
    public static string Of(double value)
    {
        if (double.IsNaN(value))
            return "nan";
        if (double.IsInfinity(value))
            return value > 0 ? "inf" : "-inf";
        var sign = double.IsNegative(value) ? "-" : "";
        var shortest = Math.Abs(value).ToString("R", CultureInfo.InvariantCulture).Split('E');
        var digits = shortest[0].Replace(".", "", StringComparison.Ordinal).Trim('0');
        if (digits.Length == 0)
            return sign + "0.0";
        var exponent = shortest.Length > 1 ? int.Parse(shortest[1], CultureInfo.InvariantCulture) : Exponent(shortest[0]);
        if (exponent is < -4 or >= 16)
        {
            var fraction = digits.Length > 1 ? $".{digits[1..]}" : "";
            return $"{sign}{digits[0]}{fraction}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
        }

        if (exponent < 0)
            return $"{sign}0.{new string('0', -exponent - 1)}{digits}";
        return digits.Length <= exponent + 1
            ? $"{sign}{digits.PadRight(exponent + 1, '0')}.0"
            : $"{sign}{digits[..(exponent + 1)]}.{digits[(exponent + 1)..]}";
    }

    /// <summary>A string literal with its quotes: single ones, unless there are only single ones in it.</summary>
    public static string Quoted(string text)
    {
        var quote = text.Contains('\'', StringComparison.Ordinal) && !text.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
        var quoted = new StringBuilder(text.Length + 2).Append(quote);
        foreach (var rune in text.EnumerateRunes())
        {
            var escaped = rune.Value switch
            {
                '\\' => "\\\\",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                _ when rune.Value == quote => $"\\{quote}",
                _ when IsPrintable(rune) => null,
                < 0x100 => $"\\x{rune.Value:x2}",
                < 0x10000 => $"\\u{rune.Value:x4}",
                _ => $"\\U{rune.Value:x8}",
            };
            if (escaped is null) quoted.Append(rune.ToString());
            else quoted.Append(escaped);
        }

        return quoted.Append(quote).ToString();
    }

    /// <summary>Characters as Python counts them: a pair of surrogates is one.</summary>
    public static int Characters(string text)
    {
        var count = text.Length;
        for (var at = text.AsSpan().IndexOfAnyInRange('\uD800', '\uDBFF'); at >= 0 && at + 1 < text.Length; at++)
        {
            if (char.IsHighSurrogate(text[at]) && char.IsLowSurrogate(text[at + 1]))
                count--;
        }

        return count;
    }

    /// <summary>Where the character after the one at <paramref name="at"/> begins.</summary>
    public static int Next(string text, int at) =>
        at + 1 < text.Length && char.IsHighSurrogate(text[at]) && char.IsLowSurrogate(text[at + 1]) ? at + 2 : at + 1;

    /// <summary>Where a character begins, by its number; the text's end for its number of characters.</summary>
    public static int Offset(string text, int character)
    {
        var first = text.AsSpan().IndexOfAnyInRange('\uD800', '\uDBFF');
        if (first < 0 || character <= first)
            return character;
        var at = first;
        for (var left = character - first; left > 0; left--)
            at = Next(text, at);
        return at;
    }

    /// <summary>By code points: UTF-16 units would put what is beyond the first plane before U+E000.</summary>
    public static int Compare(string left, string right)
    {
        var same = left.AsSpan().CommonPrefixLength(right);
        if (same == left.Length || same == right.Length)
            return left.Length.CompareTo(right.Length);
        var (a, b) = (left[same], right[same]);
        return char.IsSurrogate(a) == char.IsSurrogate(b) ? a.CompareTo(b) : char.IsSurrogate(a) ? 1 : -1;
    }

    /// <summary>The power of ten of the first digit that isn't 0.</summary>
    private static int Exponent(string number)
    {
        var point = number.IndexOf('.', StringComparison.Ordinal);
        if (number[0] != '0')
            return (point < 0 ? number.Length : point) - 1;
        return 1 - number.AsSpan().IndexOfAnyInRange('1', '9');
    }

    /// <summary>As <c>str.isprintable</c>: of the separators the space alone.</summary>
    private static bool IsPrintable(Rune rune) => rune.Value == ' ' || Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse
        or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);
}
