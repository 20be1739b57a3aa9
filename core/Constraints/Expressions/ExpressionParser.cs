using System.Globalization;
using System.Text;
using R1Serverless.Constraints.Automata;

namespace R1Serverless.Constraints.Expressions;

/// <summary>Reads regular expressions as ECMAScript writes them. What has no automaton (references, \b, look-behind) is refused.</summary>
internal sealed class ExpressionParser
{
    private const int MaxDepth = 100, MaxRepeat = 100_000;

    private readonly string _source;
    private readonly int[] _text;
    private int _at, _depth;

    private ExpressionParser(string source)
    {
        _source = source;
        _text = [.. source.EnumerateRunes().Select(rune => rune.Value)];
    }

    public static Expression Parse(string source)
    {
        var parser = new ExpressionParser(source);
        var result = parser.Choice();
        return parser._at == parser._text.Length ? result : throw parser.Refused("')' closes nothing");
    }

    private bool IsAt(char value) => _at < _text.Length && _text[_at] == value;

    private bool Take(string value)
    {
        for (var i = 0; i < value.Length; i++)
        {
            if (_at + i >= _text.Length || _text[_at + i] != value[i])
                return false;
        }
        _at += value.Length;
        return true;
    }

    private Expression Choice()
    {
        if (++_depth > MaxDepth)
            throw Refused($"groups nest deeper than {MaxDepth}");
        var options = new List<Expression> { Sequence() };
        while (Take("|"))
            options.Add(Sequence());
        _depth--;
        return options.Count == 1 ? options[0] : new Expression.Choice(options);
    }

    private Expression Sequence()
    {
        var parts = new List<Expression>();
        while (_at < _text.Length && !IsAt('|') && !IsAt(')'))
            parts.Add(Quantified(Atom()));
        return parts.Count == 1 ? parts[0] : new Expression.Sequence(parts);
    }

    private Expression Quantified(Expression part)
    {
        while (true)
        {
            int min, max;
            if (Take("*"))
                (min, max) = (0, int.MaxValue);
            else if (Take("+"))
                (min, max) = (1, int.MaxValue);
            else if (Take("?"))
                (min, max) = (0, 1);
            else if (!Counts(out min, out max))
                return part;
            Take("?");
            if (part is Expression.Anchor or Expression.Look)
                throw Refused("an anchor or look-ahead can't be repeated");
            part = new Expression.Repeated(part, min, max);
        }
    }

    private bool Counts(out int min, out int max)
    {
        (min, max) = (0, 0);
        var start = _at;
        if (!Take("{"))
            return false;
        if (Number(out min))
        {
            max = min;
            if (Take(",") && !Number(out max))
                max = int.MaxValue;
            if (Take("}"))
            {
                if (max < min || min > MaxRepeat)
                    throw Refused($"a repetition's counts must rise and start at {MaxRepeat} at most");
                return true;
            }
        }
        _at = start;
        return false;
    }

    private bool Number(out int value)
    {
        var start = _at;
        var sum = 0L;
        while (_at < _text.Length && _text[_at] is >= '0' and <= '9')
            sum = Math.Min(sum * 10 + _text[_at++] - '0', int.MaxValue - 1);
        value = (int)sum;
        return _at > start;
    }

    private Expression Atom()
    {
        if (Take("("))
        {
            var look = Take("?=") ? 1 : Take("?!") ? -1 : 0;
            if (look == 0 && !Take("?:") && IsAt('?'))
                Name();
            var inner = Choice();
            if (!Take(")"))
                throw Refused("a group is not closed");
            return look == 0 ? inner : new Expression.Look(inner, look < 0);
        }
        if (Take("["))
            return new Expression.Class(Set());
        if (Take("."))
            return new Expression.Class(CodePoints.Dot);
        if (Take("^"))
            return new Expression.Anchor(false);
        if (Take("$"))
            return new Expression.Anchor(true);
        if (Take("\\"))
            return new Expression.Class(Escape(isInSet: false));
        if (IsAt('*') || IsAt('+') || IsAt('?'))
            throw Refused("there is nothing to repeat");
        return new Expression.Class(One(_text[_at++]));
    }

    private void Name()
    {
        if (!Take("?<") && !Take("?P<") || IsAt('=') || IsAt('!'))
            throw Refused("this kind of group is not supported");
        while (_at < _text.Length && !Take(">"))
            _at++;
    }

    private CodePoints Set()
    {
        var isNegative = Take("^");
        var sets = new List<CodePoints>();
        while (!Take("]"))
        {
            var low = Member();
            if (IsAt('-') && _at + 1 < _text.Length && _text[_at + 1] != ']' && low.Ranges is [var (from, to)] && from == to)
            {
                _at++;
                var high = Member();
                if (high.Ranges is not [var (start, end)] || start != end)
                    throw Refused("a range of a class ends with one character");
                if (start < from)
                    throw Refused("a range of a class must rise");
                low = CodePoints.Of((from, start)).And(CodePoints.All);
            }
            sets.Add(low);
        }
        var union = CodePoints.Union(sets);
        return isNegative ? union.Inverted() : union;
    }

    private CodePoints Member()
    {
        if (_at >= _text.Length)
            throw Refused("a class is not closed");
        return Take("\\") ? Escape(isInSet: true) : One(_text[_at++]);
    }

    private CodePoints Escape(bool isInSet)
    {
        if (_at >= _text.Length)
            throw Refused("it ends with a backslash");
        var value = _text[_at++];
        switch (value)
        {
            case 'd': return CodePoints.Digit;
            case 'D': return CodePoints.Digit.Inverted();
            case 'w': return CodePoints.Word;
            case 'W': return CodePoints.Word.Inverted();
            case 's': return CodePoints.Space;
            case 'S': return CodePoints.Space.Inverted();
            case 'n': return One('\n');
            case 'r': return One('\r');
            case 't': return One('\t');
            case 'f': return One('\f');
            case 'v': return One('\v');
            case 'b' when isInSet: return One('\b');
            case '0' when _at >= _text.Length || _text[_at] is < '0' or > '9': return One(0);
            case 'x': return One(Hex(2));
            case 'u': return One(Take("{") ? Braced() : Pair(Hex(4)));
            case 'c' when _at < _text.Length && _text[_at] is >= 'A' and <= 'Z' or >= 'a' and <= 'z': return One(_text[_at++] % 32);
            case 'p' or 'P': return Property(value == 'P');
            case >= '0' and <= '9' or >= 'a' and <= 'z' or >= 'A' and <= 'Z':
                throw Refused($"the escape \\{new Rune(value)} is not supported");
            default: return One(value);
        }
    }

    private static CodePoints One(int value) => CodePoints.Of((value, value)).And(CodePoints.All);

    private CodePoints Property(bool isNegative)
    {
        if (!Take("{"))
            throw Refused("\\p needs a category in braces");
        var start = _at;
        while (_at < _text.Length && !IsAt('}'))
            _at++;
        var name = string.Concat(_text[start.._at].Select(value => new Rune(value)));
        Take("}");
        name = name.Replace("General_Category=", "", StringComparison.Ordinal).Replace("gc=", "", StringComparison.Ordinal);
        name = name switch { "Letter" => "L", "Number" => "N", "Punctuation" => "P", "Alphabetic" => "L", "Symbol" => "S", _ => name };
        var set = CodePoints.Category(name) ?? throw Refused($"the property '{name}' is not supported; expected a general category");
        return isNegative ? set.Inverted() : set;
    }

    private int Hex(int digits)
    {
        if (_at + digits > _text.Length)
            throw Refused("an escape is cut off");
        var value = 0;
        for (var i = 0; i < digits; i++)
            value = value * 16 + Digit(_text[_at++]);
        return value;
    }

    private int Braced()
    {
        var value = 0;
        while (!Take("}"))
        {
            if (_at >= _text.Length || value > 0x10FFFF)
                throw Refused("an escape is cut off");
            value = value * 16 + Digit(_text[_at++]);
        }
        return value;
    }

    private int Pair(int high)
    {
        if (high is < 0xD800 or > 0xDBFF || !Take("\\u"))
            return high;
        return 0x10000 + ((high - 0xD800) << 10) + Hex(4) - 0xDC00;
    }

    private int Digit(int value) =>
        value < 128 && char.IsAsciiHexDigit((char)value)
            ? int.Parse([(char)value], NumberStyles.HexNumber, CultureInfo.InvariantCulture)
            : throw Refused("an escape needs hexadecimal digits");

    private ConstraintException Refused(string reason) => new("", "pattern", $"'{Short(_source)}' at {_at}: {reason}");

    private static string Short(string source) => source.Length <= 80 ? source : source[..80] + "…";
}
