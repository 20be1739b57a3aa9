namespace R1Serverless.Models.Templates;

/// <summary>The methods of strings. What they cut and join keeps its marks.</summary>
internal static class StringMethods
{
    private static readonly Dictionary<string, Func<MarkedText, CallArguments, Value>> Known = new(StringComparer.Ordinal)
    {
        ["strip"] = (text, arguments) => Stripped(text, arguments, left: true, right: true),
        ["lstrip"] = (text, arguments) => Stripped(text, arguments, left: true, right: false),
        ["rstrip"] = (text, arguments) => Stripped(text, arguments, left: false, right: true),
        ["split"] = (text, arguments) => Split(text, arguments, fromRight: false),
        ["rsplit"] = (text, arguments) => Split(text, arguments, fromRight: true),
        ["splitlines"] = (text, arguments) => List(TextCutting.Lines(text, arguments.Allow("keepends").Flag(0, "keepends", fallback: false))),
        ["partition"] = (text, arguments) => Partition(text, arguments, fromRight: false),
        ["rpartition"] = (text, arguments) => Partition(text, arguments, fromRight: true),
        ["startswith"] = (text, arguments) => Affix(arguments, one => text.Text.StartsWith(one, StringComparison.Ordinal)),
        ["endswith"] = (text, arguments) => Affix(arguments, one => text.Text.EndsWith(one, StringComparison.Ordinal)),
        ["removeprefix"] = (text, arguments) => Without(text, arguments, atEnd: false),
        ["removesuffix"] = (text, arguments) => Without(text, arguments, atEnd: true),
        ["replace"] = (text, arguments) => Replaced(text, arguments.Allow("old", "new", "count")),
        ["join"] = (text, arguments) => Joined(text, arguments.Allow("iterable").Require(0, "iterable")),
        ["format"] = Formatted,
        ["upper"] = (text, arguments) => Mapped(text, arguments, one => one.ToUpperInvariant()),
        ["lower"] = (text, arguments) => Mapped(text, arguments, one => one.ToLowerInvariant()),
        ["casefold"] = (text, arguments) => Mapped(text, arguments, one => one.ToLowerInvariant()),
        ["title"] = (text, arguments) => Mapped(text, arguments, TextCases.Title),
        ["capitalize"] = (text, arguments) => Mapped(text, arguments, TextCases.Capitalize),
        ["swapcase"] = (text, arguments) => Mapped(text, arguments, TextCases.Swap),
        ["find"] = (text, arguments) => Place(text, arguments, text.Text.IndexOf(arguments.Text(0, "sub").Text, StringComparison.Ordinal)),
        ["rfind"] = (text, arguments) => Place(text, arguments, text.Text.LastIndexOf(arguments.Text(0, "sub").Text, StringComparison.Ordinal)),
        ["index"] = (text, arguments) => Found(Place(text, arguments, text.Text.IndexOf(arguments.Text(0, "sub").Text, StringComparison.Ordinal))),
        ["count"] = (text, arguments) => IntegerValue.Of(TextCutting.CountOf(text.Text, arguments.Allow("sub").Text(0, "sub").Text)),
        ["isdigit"] = (text, _) => All(text, char.IsDigit),
        ["isnumeric"] = (text, _) => All(text, char.IsNumber),
        ["isalpha"] = (text, _) => All(text, char.IsLetter),
        ["isalnum"] = (text, _) => All(text, char.IsLetterOrDigit),
        ["isspace"] = (text, _) => All(text, PythonText.IsSpace),
        ["isupper"] = (text, _) => BooleanValue.Of(text.Text.Any(char.IsUpper) && !text.Text.Any(char.IsLower)),
        ["islower"] = (text, _) => BooleanValue.Of(text.Text.Any(char.IsLower) && !text.Text.Any(char.IsUpper)),
        ["ljust"] = (text, arguments) => Padded(text, arguments, atEnd: true),
        ["rjust"] = (text, arguments) => Padded(text, arguments, atEnd: false),
    };

    public static Value? Find(StringValue of, string name) => Known.TryGetValue(name, out var method)
        ? new FunctionValue(name, (rendering, arguments) => method(((StringValue)rendering.Worked(of)).Text, arguments))
        : null;

    private static StringValue Joined(MarkedText separator, Value parts) => new(TextCutting.Join(
        Iteration.Over(parts)
        .Select(part => part is StringValue text ? text.Text : throw new TemplateException($"'join' takes strings, not {part.Kind}.")),
        separator));

    private static StringValue Stripped(MarkedText text, CallArguments arguments, bool left, bool right) =>
        new(TextCutting.Strip(text, arguments.Allow("chars").FindText(0, "chars")?.Text, left, right));

    private static ListValue Split(MarkedText text, CallArguments arguments, bool fromRight)
    {
        arguments.Allow("sep", "maxsplit");
        var most = arguments.Integer(1, "maxsplit", -1);
        return arguments.Find(0, "sep") is null or NoneValue
            ? List(TextCutting.Words(text, most, fromRight))
            : List(TextCutting.Split(text, arguments.Text(0, "sep").Text, most, fromRight));
    }

    private static ListValue Partition(MarkedText text, CallArguments arguments, bool fromRight)
    {
        var separator = arguments.Allow("sep").Text(0, "sep");
        var parts = TextCutting.Split(text, separator.Text, 1, fromRight);
        MarkedText[] three = parts.Count == 2 ? [parts[0], separator, parts[1]]
            : fromRight ? [MarkedText.Empty, MarkedText.Empty, text]
            : [text, MarkedText.Empty, MarkedText.Empty];
        return new ListValue([.. three.Select(one => new StringValue(one))], isTuple: true);
    }

    private static BooleanValue Affix(CallArguments arguments, Func<string, bool> has) => arguments.Allow("affix").Require(0, "affix") switch
    {
        ListValue { IsTuple: true } several => BooleanValue.Of(several.Elements.Any(one => one is StringValue affix && has(affix.Text.Text))),
        _ => BooleanValue.Of(has(arguments.Text(0, "affix").Text)),
    };

    private static StringValue Without(MarkedText text, CallArguments arguments, bool atEnd)
    {
        var affix = arguments.Allow("affix").Text(0, "affix").Text;
        if (atEnd ? !text.Text.EndsWith(affix, StringComparison.Ordinal) : !text.Text.StartsWith(affix, StringComparison.Ordinal))
            return new StringValue(text);
        return new StringValue(atEnd ? text.Slice(0, text.Length - affix.Length) : text.Slice(affix.Length, text.Length));
    }

    private static StringValue Replaced(MarkedText text, CallArguments arguments) =>
        new(TextCutting.Replace(text, arguments.Text(0, "old").Text, arguments.Text(1, "new"), arguments.Integer(2, "count", -1)));

    private static StringValue Formatted(MarkedText text, CallArguments arguments) => Formatting.Braces(text, arguments);

    private static StringValue Mapped(MarkedText text, CallArguments arguments, Func<string, string> change)
    {
        arguments.Allow();
        return new StringValue(text.Map(change));
    }

    private static Value Place(MarkedText text, CallArguments arguments, int unit)
    {
        arguments.Allow("sub");
        return IntegerValue.Of(unit < 0 ? -1 : PythonText.Characters(text.Text[..unit]));
    }

    private static Value Found(Value place) =>
        place is IntegerValue { Value: >= 0 } ? place : throw new TemplateException("The string does not hold what 'index' looks for.");

    private static BooleanValue All(MarkedText text, Func<char, bool> holds) => BooleanValue.Of(text.Length > 0 && text.Text.All(holds));

    private static StringValue Padded(MarkedText text, CallArguments arguments, bool atEnd)
    {
        arguments.Allow("width", "fillchar");
        var missing = Math.Max(0, arguments.Integer(0, "width", 0) - PythonText.Characters(text.Text));
        var fill = arguments.Text(1, "fillchar", MarkedText.OfTemplate(" "));
        RenderLimits.CheckLength(missing * fill.Length);
        var padding = TextCutting.Join(Enumerable.Repeat(fill, (int)missing), MarkedText.Empty);
        return new StringValue(atEnd ? text + padding : padding + text);
    }

    private static ListValue List(IEnumerable<MarkedText> texts) => new([.. texts.Select(text => new StringValue(text))]);
}
