using System.Globalization;
using System.Text;

namespace R1Serverless.Models.Tokenization;

/// <summary>
/// Patterns of tokenizer.json are Oniguruma's (its Ruby syntax, https://github.com/kkos/oniguruma/blob/master/doc/RE). What .NET writes otherwise is
/// written anew here; what it reads otherwise or can't say is refused.
/// </summary>
internal static class RegexSyntax
{
    /// <exception cref="UnsupportedTokenizerException">.NET has no equal, or would read it as something else.</exception>
    public static string ToDotNet(string pattern)
    {
        if (pattern.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') >= 0) throw Refusal(pattern, "a character beyond U+FFFF");
        StringBuilder result = new(pattern.Length + 8);
        Stack<int> groups = [];
        // Where the result's last atom begins, which a quantifier repeats.
        var atom = -1;
        for (var i = 0; i < pattern.Length;)
        {
            if (atom >= 0 && Quantifier(pattern, i) is > 0 and var length)
            {
                // .NET takes an interval without its least count for text.
                result.Append(pattern.Substring(i, length).Replace("{,", "{0,", StringComparison.Ordinal));
                i += length;
                if (i < pattern.Length && pattern[i] == '+')
                {
                    // After an interval it repeats the repetition, after the others it is possessive.
                    var isInterval = pattern[i - 1] == '}';
                    result.Insert(atom, isInterval ? "(?:" : "(?>").Append(isInterval ? ")+" : ")");
                    i++;
                }
                else if (i < pattern.Length && pattern[i] == '?')
                {
                    result.Append('?');
                    i++;
                }

                atom = -1;
                continue;
            }

            var start = result.Length;
            switch (pattern[i])
            {
                case '\\':
                    i = AppendEscape(pattern, i, result);
                    break;
                case '[':
                    i = AppendClass(pattern, i, result);
                    break;
                case '(':
                    groups.Push(start);
                    start = -1;
                    result.Append(pattern[i++]);
                    // What follows belongs to the group's kind and repeats nothing.
                    if (i < pattern.Length && pattern[i] == '?') result.Append(pattern[i++]);
                    break;
                case ')':
                    start = groups.TryPop(out var group) ? group : -1;
                    result.Append(pattern[i++]);
                    break;
                default:
                    result.Append(pattern[i++]);
                    break;
            }

            atom = start;
        }

        return result.ToString();
    }

    /// <summary>The length of the quantifier that begins at a position, 0 where none does.</summary>
    private static int Quantifier(string pattern, int at)
    {
        if (pattern[at] is '*' or '+' or '?') return 1;
        if (pattern[at] != '{') return 0;
        var end = pattern.IndexOf('}', at);
        return end > at + 1 && pattern.AsSpan(at + 1, end - at - 1).IndexOfAnyExcept("0123456789,") < 0 ? end + 1 - at : 0;
    }

    private static int AppendEscape(string pattern, int at, StringBuilder result)
    {
        var name = at + 1 < pattern.Length ? pattern[at + 1] : '\0';
        var end = name is 'p' or 'P' or 'x' && at + 2 < pattern.Length && pattern[at + 2] == '{' ? pattern.IndexOf('}', at) : -1;
        if (end < 0)
        {
            result.Append(pattern, at, Math.Min(2, pattern.Length - at));
            return Math.Min(at + 2, pattern.Length);
        }

        if (name != 'x')
        {
            result.Append(pattern, at, end + 1 - at);
        }
        else if (ushort.TryParse(pattern.AsSpan(at + 3, end - at - 3), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
        {
            result.Append(CultureInfo.InvariantCulture, $"\\u{value:X4}");
        }
        else
        {
            throw Refusal(pattern, "a character beyond U+FFFF");
        }

        return end + 1;
    }

    /// <summary>A class within a class adds its characters; .NET would take its bracket for one of them.</summary>
    private static int AppendClass(string pattern, int at, StringBuilder result)
    {
        result.Append(pattern[at++]);
        if (at < pattern.Length && pattern[at] == '^') result.Append(pattern[at++]);
        // A bracket that closes nothing yet is a character.
        if (at < pattern.Length && pattern[at] == ']') result.Append("\\" + pattern[at++]);
        for (var depth = 1; at < pattern.Length;)
        {
            var next = at + 1 < pattern.Length ? pattern[at + 1] : '\0';
            switch (pattern[at])
            {
                case '\\':
                    at = AppendEscape(pattern, at, result);
                    break;
                case '[' when next is '^' or ':' or ']' || result[^1] == '-':
                    throw Refusal(pattern, "a class within a class that is negated or named");
                case '&' when next == '&':
                    throw Refusal(pattern, "an intersection of classes");
                case '[':
                    depth++;
                    at++;
                    break;
                case ']' when --depth > 0:
                    at++;
                    break;
                case ']':
                    result.Append(']');
                    return at + 1;
                default:
                    result.Append(pattern[at++]);
                    break;
            }
        }

        return at;
    }

    private static UnsupportedTokenizerException Refusal(string pattern, string what) =>
        new($"A pattern of tokenizer.json holds {what}, which cannot be expressed as a .NET regular expression: {pattern}");
}
