using System.Globalization;
using System.Text;

namespace R1Serverless.Models.Templates;

/// <summary>Cuts what stands in a tag into names, literals and operators.</summary>
internal sealed class ExpressionLexer(string source, LineCounter lines, List<Token> tokens)
{
    /// <summary>The longer before what they begin with.</summary>
    private static readonly string[] Operators =
    [
        "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";",
    ];

    private readonly Stack<char> _open = new();

    /// <summary>Reads up to a tag's end: where that is, and the sign in it ('-', '+' or none). -1 where the template ends first.</summary>
    /// <param name="at">Where to begin.</param>
    /// <param name="closing">What closes the tag.</param>
    /// <param name="mayKeep">Whether the tag may end in '+'.</param>
    /// <exception cref="TemplateException">Something is no token.</exception>
    public (int End, char Sign) ReadUntil(int at, string closing, bool mayKeep)
    {
        while (at < source.Length)
        {
            if (PythonText.IsSpace(source[at]))
            {
                at++;
                continue;
            }

            // Inside brackets it is something else: {{ {"a": {}}}}.
            if (_open.Count == 0)
            {
                var sign = source[at] is '-' || (mayKeep && source[at] is '+') ? source[at] : '\0';
                var end = sign == '\0' ? at : at + 1;
                if (source.AsSpan(end).StartsWith(closing, StringComparison.Ordinal))
                    return (end + closing.Length, sign);
            }

            at = ReadToken(at);
        }

        return (-1, '\0');
    }

    private int ReadToken(int at)
    {
        var c = source[at];
        if (char.IsAsciiDigit(c))
            return ReadNumber(at);
        if (c is '\'' or '"')
            return ReadString(at);
        if (c == '_' || char.IsLetter(c))
        {
            var end = at + 1;
            while (end < source.Length && (source[end] == '_' || char.IsLetterOrDigit(source[end])))
                end++;
            return Add(TokenKind.Name, source[at..end], at, end);
        }

        var rest = source.AsSpan(at);
        foreach (var one in Operators)
        {
            if (!rest.StartsWith(one, StringComparison.Ordinal))
                continue;
            Balance(one, at);
            return Add(TokenKind.Operator, one, at, at + one.Length);
        }

        throw Fail($"'{c}' can't stand here.", at);
    }

    private void Balance(string bracket, int at)
    {
        if (bracket is "(" or "[" or "{")
        {
            _open.Push(bracket == "(" ? ')' : bracket == "[" ? ']' : '}');
        }
        else if (bracket is ")" or "]" or "}" && (!_open.TryPop(out var expected) || expected != bracket[0]))
        {
            throw Fail($"This '{bracket}' closes nothing.", at);
        }
    }

    private int ReadNumber(int at)
    {
        // A digit after a dot is an index, as in x.0.
        var isIndex = tokens.Count > 0 && tokens[^1].Is(TokenKind.Operator, ".");
        if (source[at] == '0' && at + 1 < source.Length && (source[at + 1] | 0x20) is 'x' or 'o' or 'b')
            return ReadPrefixed(at);
        var end = Digits(at);
        var isFloat = false;
        if (!isIndex && end + 1 < source.Length && source[end] == '.' && char.IsAsciiDigit(source[end + 1]))
            (end, isFloat) = (Digits(end + 1), true);
        if (!isIndex && end < source.Length && (source[end] | 0x20) == 'e')
        {
            var exponent = end + 1 < source.Length && source[end + 1] is '+' or '-' ? end + 2 : end + 1;
            if (exponent < source.Length && char.IsAsciiDigit(source[exponent]))
                (end, isFloat) = (Digits(exponent), true);
        }

        return Add(isFloat ? TokenKind.Float : TokenKind.Integer, source[at..end].Replace("_", "", StringComparison.Ordinal), at, end);
    }

    private int ReadPrefixed(int at)
    {
        var end = at + 2;
        while (end < source.Length && (char.IsAsciiHexDigit(source[end]) || source[end] == '_'))
            end++;
        var digits = source[(at + 2)..end].Replace("_", "", StringComparison.Ordinal);
        try
        {
            var value = Convert.ToInt64(digits, (source[at + 1] | 0x20) switch { 'x' => 16, 'o' => 8, _ => 2 });
            return Add(TokenKind.Integer, value.ToString(CultureInfo.InvariantCulture), at, end);
        }
        catch (Exception fault) when (fault is FormatException or OverflowException or ArgumentException)
        {
            throw Fail($"'{source[at..end]}' is no number.", at);
        }
    }

    private int Digits(int at)
    {
        while (IsDigit(at) || (at < source.Length && source[at] == '_' && IsDigit(at + 1)))
            at++;
        return at;

        bool IsDigit(int place) => place < source.Length && char.IsAsciiDigit(source[place]);
    }

    private int ReadString(int at)
    {
        var end = at + 1;
        while (end < source.Length && source[end] != source[at])
            end += source[end] == '\\' ? 2 : 1;
        if (end >= source.Length)
            throw Fail("This string is not closed.", at);
        return Add(TokenKind.String, Unescaped(source[(at + 1)..end], at), at, end + 1);
    }

    /// <summary>Python's escapes; a backslash before anything else is itself.</summary>
    private string Unescaped(string text, int begin)
    {
        if (!text.Contains('\\', StringComparison.Ordinal))
            return text;
        var plain = new StringBuilder(text.Length);
        for (var at = 0; at < text.Length; at++)
        {
            if (text[at] != '\\')
            {
                plain.Append(text[at]);
                continue;
            }

            var code = text[++at];
            switch (code)
            {
                case '\n':
                    break;
                case '\\' or '\'' or '"':
                    plain.Append(code);
                    break;
                case 'x' or 'u' or 'U':
                    var digits = code switch { 'x' => 2, 'u' => 4, _ => 8 };
                    plain.Append(Character(text, at + 1, digits, 16, begin));
                    at += digits;
                    break;
                case >= '0' and <= '7':
                    var octal = 1;
                    while (octal < 3 && at + octal < text.Length && text[at + octal] is >= '0' and <= '7')
                        octal++;
                    plain.Append(Character(text, at, octal, 8, begin));
                    at += octal - 1;
                    break;
                default:
                    var known = "nrtabfv".IndexOf(code, StringComparison.Ordinal);
                    plain.Append(known < 0 ? $"\\{code}" : "\n\r\t\a\b\f\v"[known].ToString());
                    break;
            }
        }

        return plain.ToString();
    }

    private string Character(string text, int at, int digits, int numberBase, int begin)
    {
        var code = 0;
        for (var i = at; i < at + digits; i++)
        {
            if (i >= text.Length || !char.IsAsciiHexDigit(text[i]))
                throw Fail("This string has an escape that is cut short.", begin);
            code = unchecked((code * numberBase) + Convert.ToInt32(text[i].ToString(), 16));
        }

        if (code is < 0 or > 0x10FFFF)
            throw Fail("This string has an escape that is no character.", begin);
        return code < 0x10000 ? ((char)code).ToString() : char.ConvertFromUtf32(code);
    }

    private int Add(TokenKind kind, string text, int at, int end)
    {
        tokens.Add(new Token(kind, text, lines.At(at)));
        return end;
    }

    private TemplateException Fail(string reason, int at) => new TemplateException(reason).Locate(lines.At(at));
}
