namespace R1Serverless.Models.Templates;

/// <summary>
/// Cuts a template into tokens, with the settings of Hugging Face's renderer: <c>trim_blocks</c> (the newline after a block or comment goes),
/// <c>lstrip_blocks</c> (blanks between a line's beginning and a block or comment go), and without the template's last newline.
/// </summary>
internal sealed class Lexer
{
    private readonly string _source;
    private readonly List<Token> _tokens = [];
    private readonly LineCounter _lines;
    private int _at;

    /// <summary>Whether what follows stands at the beginning of a line.</summary>
    private bool _lineStarts = true;

    private Lexer(string source)
    {
        source = source.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        _source = source.EndsWith('\n') ? source[..^1] : source;
        _lines = new LineCounter(_source);
    }

    /// <exception cref="TemplateException">A tag or string is not closed, or there is a character that begins no token.</exception>
    public static List<Token> Read(string source)
    {
        var lexer = new Lexer(source);
        lexer.ReadAll();
        return lexer._tokens;
    }

    private void ReadAll()
    {
        while (NextTag() is var tag and >= 0)
        {
            var begin = _source.AsSpan(tag, 2);
            var sign = tag + 2 < _source.Length && _source[tag + 2] is '-' or '+' ? _source[tag + 2] : '\0';
            AddData(_at, tag, sign, strips: begin is not "{{");
            _at = tag + (sign == '\0' ? 2 : 3);
            switch (begin)
            {
                case "{#":
                    SkipComment(tag);
                    break;
                case "{%" when EndOfRawTag(_at) is var raw and >= 0:
                    _at = raw;
                    ReadRaw(tag);
                    break;
                default:
                    ReadTag(tag, begin is "{%");
                    break;
            }
        }

        AddData(_at, _source.Length, '\0', strips: false);
        _tokens.Add(new Token(TokenKind.End, "", _lines.At(_source.Length)));
    }

    /// <summary>Where the next tag begins; -1 where there is none.</summary>
    private int NextTag()
    {
        for (var at = _at; (at = _source.IndexOf('{', at)) >= 0 && at + 1 < _source.Length; at++)
        {
            if (_source[at + 1] is '{' or '%' or '#')
                return at;
        }

        return -1;
    }

    /// <param name="start">Where the text begins.</param>
    /// <param name="end">Where the tag after it begins.</param>
    /// <param name="sign">What stands in the tag against the text: '-', '+' or nothing.</param>
    /// <param name="strips">Whether it is a tag that takes the blanks before it on its line.</param>
    private void AddData(int start, int end, char sign, bool strips)
    {
        var text = _source.AsSpan(start, end - start);
        if (sign == '-')
        {
            text = text[..^TrailingSpace(text)];
        }
        else if (sign != '+' && strips)
        {
            var line = text.LastIndexOf('\n') + 1;
            if ((line > 0 || _lineStarts) && TrailingSpace(text[line..]) == text.Length - line)
                text = text[..line];
        }

        if (text.Length > 0)
            _tokens.Add(new Token(TokenKind.Data, text.ToString(), _lines.At(start)));
    }

    private void SkipComment(int tag)
    {
        var end = _source.IndexOf("#}", _at, StringComparison.Ordinal);
        if (end < 0)
            throw NotClosed("comment", tag);
        Leave(end + 2, end > _at ? _source[end - 1] : '\0', isBlock: true);
    }

    /// <summary>What follows a <c>raw</c> in a block that begins here; -1 where there is none.</summary>
    private int EndOfRawTag(int at)
    {
        at = Words(at, "raw");
        if (at < 0)
            return -1;
        if (_source.AsSpan(at).StartsWith("%}"))
            return at + 2;
        return _source.AsSpan(at).StartsWith("-%}") ? SkipSpace(at + 3) : -1;
    }

    private void ReadRaw(int tag)
    {
        var start = _at;
        // A raw block's own end is a tag like others: it strips what is before it and takes the newline after it.
        _lineStarts = start > 0 && _source[start - 1] == '\n';
        for (var at = start; (at = _source.IndexOf("{%", at, StringComparison.Ordinal)) >= 0; at++)
        {
            var sign = at + 2 < _source.Length && _source[at + 2] is '-' or '+' ? _source[at + 2] : '\0';
            var end = Words(at + (sign == '\0' ? 2 : 3), "endraw");
            if (end < 0)
                continue;
            var closing = end < _source.Length && _source[end] is '-' or '+' ? _source[end] : '\0';
            var close = closing == '\0' ? end : end + 1;
            if (!_source.AsSpan(close).StartsWith("%}"))
                continue;
            AddData(start, at, sign, strips: true);
            Leave(close + 2, closing, isBlock: true);
            return;
        }

        throw NotClosed("raw block", tag);
    }

    private void ReadTag(int tag, bool isBlock)
    {
        _tokens.Add(isBlock
            ? new Token(TokenKind.BlockBegin, "{%", _lines.At(tag))
            : new Token(TokenKind.OutputBegin, "{{", _lines.At(tag)));
        var expression = new ExpressionLexer(_source, _lines, _tokens);
        var (end, sign) = expression.ReadUntil(_at, isBlock ? "%}" : "}}", mayKeep: isBlock);
        if (end < 0)
            throw NotClosed(isBlock ? "block" : "output", tag);
        _tokens.Add(isBlock
            ? new Token(TokenKind.BlockEnd, "%}", _lines.At(end - 2))
            : new Token(TokenKind.OutputEnd, "}}", _lines.At(end - 2)));
        Leave(end, sign, isBlock);
    }

    /// <summary>Goes on after a tag's end; <paramref name="sign"/> stands before it.</summary>
    private void Leave(int end, char sign, bool isBlock)
    {
        if (sign == '-') _at = SkipSpace(end);
        else if (isBlock && sign != '+' && end < _source.Length && _source[end] == '\n') _at = end + 1;
        else _at = end;
        _lineStarts = _source[_at - 1] == '\n';
    }

    /// <summary>What follows a word with blanks around it; -1 where it isn't there.</summary>
    private int Words(int at, string word)
    {
        at = SkipSpace(at);
        return _source.AsSpan(at).StartsWith(word, StringComparison.Ordinal) ? SkipSpace(at + word.Length) : -1;
    }

    private int SkipSpace(int at)
    {
        while (at < _source.Length && PythonText.IsSpace(_source[at]))
            at++;
        return at;
    }

    private static int TrailingSpace(ReadOnlySpan<char> text)
    {
        var count = 0;
        while (count < text.Length && PythonText.IsSpace(text[text.Length - 1 - count]))
            count++;
        return count;
    }

    private TemplateException NotClosed(string what, int tag) =>
        new TemplateException($"This {what} is not closed.").Locate(_lines.At(tag));
}
