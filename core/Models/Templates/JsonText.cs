using System.Text;

namespace R1Serverless.Models.Templates;

/// <summary>Writes a value as Python's <c>json.dumps</c> does.</summary>
internal sealed class JsonText
{
    private readonly StringBuilder _text = new();
    private readonly string? _indention;
    private readonly string _comma;
    private readonly string _colon;
    private readonly bool _sortsKeys;
    private readonly bool _escapesAll;
    private bool _isUsers;

    private JsonText(CallArguments arguments)
    {
        arguments.Allow("ensure_ascii", "indent", "separators", "sort_keys");
        _escapesAll = arguments.Flag(0, "ensure_ascii", fallback: false);
        _indention = arguments.Find(1, "indent") switch
        {
            null or NoneValue => null,
            StringValue text => text.Text.Text,
            _ => new string(' ', (int)Math.Clamp(arguments.Integer(1, "indent", 0), 0, 64)),
        };
        (_comma, _colon) = arguments.Find(2, "separators") switch
        {
            null or NoneValue => (_indention is null ? ", " : ",", ": "),
            ListValue { Elements: [StringValue comma, StringValue colon] } => (comma.Text.Text, colon.Text.Text),
            _ => throw new TemplateException("'tojson' takes two strings as 'separators'."),
        };
        _sortsKeys = arguments.Flag(3, "sort_keys", fallback: false);
    }

    /// <exception cref="TemplateException">Something in it has no JSON.</exception>
    public static MarkedText Of(Value value, CallArguments arguments)
    {
        var json = new JsonText(arguments);
        json.Write(value, 0);
        return MarkedText.Made(json._text.ToString(), json._isUsers);
    }

    private void Write(Value value, int depth)
    {
        RenderLimits.CheckLength(_text.Length);
        switch (value)
        {
            case StringValue text:
                WriteString(text.Text);
                break;
            case BooleanValue flag:
                _text.Append(flag.IsTrue ? "true" : "false");
                break;
            case NoneValue:
                _text.Append("null");
                break;
            case FloatValue number:
                _text.Append(number.Number switch
                {
                    double.NaN => "NaN",
                    double.PositiveInfinity => "Infinity",
                    double.NegativeInfinity => "-Infinity",
                    var finite => PythonText.Of(finite),
                });
                break;
            case IntegerValue number:
                _text.Append(number.Value);
                break;
            case ListValue list:
                WriteAll('[', ']', list.Elements, depth, element => Write(element, depth + 1));
                break;
            case DictionaryValue dictionary:
                var keys = dictionary.Elements;
                if (_sortsKeys)
                    keys = ListFilters.Ordered(keys, key => key, isReversed: false);
                WriteAll('{', '}', keys, depth, key => WriteEntry(key, dictionary.Entries[key], depth + 1));
                break;
            default:
                throw new TemplateException(value is UndefinedValue missing ? missing.Reason : $"{Sentence.Begin(value.Kind)} has no JSON.");
        }
    }

    private void WriteAll<T>(char open, char close, IReadOnlyList<T> elements, int depth, Action<T> write)
    {
        _text.Append(open);
        for (var i = 0; i < elements.Count; i++)
        {
            if (i > 0)
                _text.Append(_comma);
            BreakLine(depth + 1);
            write(elements[i]);
        }

        if (elements.Count > 0)
            BreakLine(depth);
        _text.Append(close);
    }

    private void BreakLine(int depth)
    {
        if (_indention is null)
            return;
        _text.Append('\n');
        for (var i = 0; i < depth; i++)
            _text.Append(_indention);
    }

    private void WriteEntry(Value key, Value value, int depth)
    {
        if (key is StringValue name)
        {
            WriteString(name.Text);
        }
        else
        {
            // A number or constant is a key in its JSON form.
            _text.Append('"');
            Write(key, depth);
            _text.Append('"');
        }

        _text.Append(_colon);
        Write(value, depth);
    }

    private void WriteString(MarkedText text)
    {
        _isUsers |= text.HasUserText;
        _text.Append('"');
        foreach (var c in text.Text)
        {
            switch (c)
            {
                case '"' or '\\':
                    _text.Append('\\').Append(c);
                    break;
                case '\n' or '\r' or '\t' or '\f' or '\b':
                    _text.Append('\\').Append(c switch { '\n' => 'n', '\r' => 'r', '\t' => 't', '\f' => 'f', _ => 'b' });
                    break;
                case < ' ':
                case > '~' when _escapesAll:
                    _text.Append($"\\u{(int)c:x4}");
                    break;
                default:
                    _text.Append(c);
                    break;
            }
        }

        _text.Append('"');
    }
}
