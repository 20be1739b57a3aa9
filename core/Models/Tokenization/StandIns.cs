using System.Globalization;

namespace R1Serverless.Models.Tokenization;

/// <summary>
/// For each category a character within the BMP that stands for those beyond it (<see cref="MatchableText"/>). No pattern names it, neither alone nor
/// in a range, so that it matches what matches its whole category and nothing else.
/// </summary>
internal sealed class StandIns
{
    private const char FirstOutsideAscii = '\u0080';

    /// <summary>Those where patterns name nothing outside ASCII: looked for when the first text needs them, not at the start.</summary>
    private static readonly StandIns Usual = new(null);

    private char[]? _ofCategory;

    private StandIns(char[]? ofCategory) => _ofCategory = ofCategory;

    public char this[UnicodeCategory category] => (_ofCategory ??= Found([]))[(int)category];

    /// <exception cref="UnsupportedTokenizerException">The patterns name all characters of a category.</exception>
    public static StandIns For(IReadOnlyCollection<string> patterns)
    {
        List<(char First, char Last)> named = [.. patterns.SelectMany(Ranges)];
        return named.Count == 0 ? Usual : new StandIns(Found(named));
    }

    private static char[] Found(List<(char First, char Last)> named)
    {
        var found = new char[(int)UnicodeCategory.OtherNotAssigned + 1];
        for (var candidate = (int)FirstOutsideAscii; candidate <= char.MaxValue; candidate++)
        {
            ref var place = ref found[(int)CharUnicodeInfo.GetUnicodeCategory((char)candidate)];
            if (place == 0 && !named.Exists(range => range.First <= candidate && candidate <= range.Last)) place = (char)candidate;
        }

        for (var category = 0; category < found.Length; category++)
        {
            // Outside ASCII only the separators of lines and paragraphs, controls and surrogates may be missing: none lies beyond the BMP.
            if (found[category] == 0 && !IsWithinBmp((UnicodeCategory)category))
                throw new UnsupportedTokenizerException(
                    $"The patterns of tokenizer.json name every character of the category {(UnicodeCategory)category}; "
                    + "those beyond U+FFFF cannot be told from them.");
        }

        return found;
    }

    private static bool IsWithinBmp(UnicodeCategory category) => category
        is UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator
        or UnicodeCategory.Control or UnicodeCategory.Surrogate;

    /// <summary>The characters and ranges outside ASCII that a pattern names, or more: what reads like a range counts as one.</summary>
    private static List<(char First, char Last)> Ranges(string pattern)
    {
        List<(char, char)> ranges = [];
        for (var i = 0; i < pattern.Length;)
        {
            var first = Character(pattern, ref i);
            var last = first;
            if (i + 1 < pattern.Length && pattern[i] == '-' && pattern[i + 1] != ']')
            {
                i++;
                last = Character(pattern, ref i);
            }

            if (last >= FirstOutsideAscii) ranges.Add((first, last));
        }

        return ranges;
    }

    private static char Character(string pattern, ref int i)
    {
        if (pattern[i++] != '\\' || i == pattern.Length) return pattern[i - 1];
        var digits = pattern[i++] switch { 'u' => 4, 'x' => 2, _ => 0 };
        if (digits == 0 || i + digits > pattern.Length
            || !ushort.TryParse(pattern.AsSpan(i, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
            return pattern[i - 1];

        i += digits;
        return (char)value;
    }
}
