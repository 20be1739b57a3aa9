using System.Globalization;
using System.Text;
using R1Serverless.Constraints.Automata;
using R1Serverless.Constraints.Expressions;

namespace R1Serverless.Constraints.Grammars;

/// <summary>Reads GBNF: `name ::= "text" [a-z] other-rule (a | b)* # comment`.</summary>
internal sealed class GrammarParser
{
    private const int MaxDepth = 100;

    private readonly string _source;
    private int _at, _depth;

    private GrammarParser(string source) => _source = source;

    /// <summary>The rules by name.</summary>
    public static Dictionary<string, GrammarNode> Parse(string source)
    {
        var parser = new GrammarParser(source);
        var rules = new Dictionary<string, GrammarNode>(StringComparer.Ordinal);
        parser.Space();
        while (parser._at < source.Length)
        {
            var name = parser.Name();
            parser.Space();
            if (name.Length == 0 || !parser.Take("::="))
                throw parser.Refused("expected a rule: name ::= …");
            if (!rules.TryAdd(name, parser.Choice()))
                throw parser.Refused($"rule '{name}' is stated twice");
        }
        return rules;
    }

    private bool Take(string text)
    {
        if (string.CompareOrdinal(_source, _at, text, 0, text.Length) != 0)
            return false;
        _at += text.Length;
        return true;
    }

    private void Space()
    {
        while (_at < _source.Length && (char.IsWhiteSpace(_source[_at]) || _source[_at] == '#'))
        {
            if (_source[_at++] != '#')
                continue;
            while (_at < _source.Length && _source[_at] != '\n')
                _at++;
        }
    }

    private string Name()
    {
        var start = _at;
        while (_at < _source.Length && (char.IsAsciiLetterOrDigit(_source[_at]) || _source[_at] is '-' or '_'))
            _at++;
        return _source[start.._at];
    }

    private GrammarNode Choice()
    {
        if (++_depth > MaxDepth)
            throw Refused($"groups nest deeper than {MaxDepth}");
        var options = new List<GrammarNode>();
        do
            options.Add(Sequence());
        while (Take("|"));
        _depth--;
        return options.Count == 1 ? options[0] : new GrammarNode.Choice(options);
    }

    private GrammarNode.Sequence Sequence()
    {
        var parts = new List<GrammarNode>();
        for (Space(); _at < _source.Length && _source[_at] is not ('|' or ')') && !IsRule(); Space())
        {
            var part = Atom();
            Space();
            while (Quantifier() is var (min, max))
            {
                part = new GrammarNode.Repeated(part, min, max);
                Space();
            }
            parts.Add(part);
        }
        return new GrammarNode.Sequence(parts);
    }

    // A name before ::= begins the next rule.
    private bool IsRule()
    {
        var start = _at;
        var isRule = Name().Length > 0;
        Space();
        isRule = isRule && Take("::=");
        _at = start;
        return isRule;
    }

    private (int Min, int Max)? Quantifier()
    {
        if (Take("*"))
            return (0, int.MaxValue);
        if (Take("+"))
            return (1, int.MaxValue);
        if (Take("?"))
            return (0, 1);
        if (!Take("{"))
            return null;
        var end = _source.IndexOf('}', _at);
        var counts = end < 0 ? [] : _source[_at..end].Split(',');
        if (counts.Length is 0 or > 2 || !int.TryParse(counts[0], NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out var min))
            throw Refused("expected {count}, {from,} or {from,to}");
        var max = counts.Length == 1 ? min : int.MaxValue;
        if (counts.Length == 2 && counts[1].Trim().Length > 0 && !int.TryParse(counts[1], out max) || max < min || min > 100_000)
            throw Refused("a repetition's counts must rise and start at 100000 at most");
        _at = end + 1;
        return (min, max);
    }

    private GrammarNode Atom()
    {
        if (Take("("))
        {
            var inner = Choice();
            return Take(")") ? inner : throw Refused("a group is not closed");
        }
        if (Take("\""))
            return new GrammarNode.Text(Text());
        if (_source[_at] == '[')
            return Class();
        if (Take("."))
            return new GrammarNode.Class(CodePoints.All);
        var name = Name();
        return name.Length > 0 ? new GrammarNode.Name(name, Line()) : throw Refused($"'{_source[_at]}' is not expected here");
    }

    private string Text()
    {
        var text = new StringBuilder();
        while (!Take("\""))
        {
            if (_at >= _source.Length)
                throw Refused("a text is not closed");
            if (_source[_at++] is var value && value != '\\')
                text.Append(value);
            else
                text.Append(Escape());
        }
        return text.ToString();
    }

    private string Escape()
    {
        var value = _at < _source.Length ? _source[_at++] : throw Refused("an escape is cut off");
        var digits = value switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
        if (digits == 0)
            return value switch { 'n' => "\n", 'r' => "\r", 't' => "\t", _ => value.ToString() };
        if (_at + digits > _source.Length
            || !int.TryParse(_source.AsSpan(_at, digits), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var code) || !Rune.IsValid(code))
        {
            throw Refused("an escape needs the hexadecimal digits of a character");
        }
        _at += digits;
        return char.ConvertFromUtf32(code);
    }

    // A class is written as in regular expressions.
    private GrammarNode.Class Class()
    {
        var start = _at++;
        while (_at < _source.Length && _source[_at] != ']')
            _at += _source[_at] == '\\' ? 2 : 1;
        if (_at++ >= _source.Length)
            throw Refused("a class is not closed");
        return ExpressionParser.Parse(_source[start.._at]) is Expression.Class one
            ? new GrammarNode.Class(one.Set) : throw Refused("expected a class");
    }

    private int Line() => _source.AsSpan(0, Math.Min(_at, _source.Length)).Count('\n') + 1;

    private ConstraintException Refused(string reason) => new($"line {Line()}", "grammar", reason);
}
