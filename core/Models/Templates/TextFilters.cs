namespace R1Serverless.Models.Templates;

/// <summary>Filters that make texts. Their input is the text of whatever value comes.</summary>
internal static class TextFilters
{
    private static readonly MarkedText Blank = MarkedText.OfTemplate(" ");

    private static readonly (string Character, string Entity)[] Entities =
        [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&#34;"), ("'", "&#39;")];

    public static Value Mapped(Value input, CallArguments arguments, Func<string, string> change)
    {
        arguments.Allow();
        return new StringValue(input.ToText().Map(change));
    }

    public static Value Trimmed(Rendering rendering, Value input, CallArguments arguments) =>
        new StringValue(TextCutting.Strip(input.ToText(), arguments.Allow("chars").FindText(0, "chars")?.Text, left: true, right: true));

    public static Value Replaced(Rendering rendering, Value input, CallArguments arguments)
    {
        arguments.Allow("old", "new", "count");
        var count = arguments.Find(2, "count") is null or NoneValue ? -1 : arguments.Integer(2, "count", -1);
        var (old, by) = (arguments.Require(0, "old").ToText(), arguments.Require(1, "new").ToText());
        return new StringValue(TextCutting.Replace(input.ToText(), old.Text, by, count));
    }

    public static Value Joined(Rendering rendering, Value input, CallArguments arguments)
    {
        var separator = arguments.Allow("d", "attribute").Find(0, "d")?.ToText() ?? MarkedText.Empty;
        var parts = Iteration.Over(input).Select(Selections.AttributeOf(arguments.Find(1, "attribute")));
        return new StringValue(TextCutting.Join(parts.Select(part => part.ToText()), separator));
    }

    public static Value Formatted(Rendering rendering, Value input, CallArguments arguments) => arguments.Named.Count == 0
        ? Formatting.Percent(input.ToText(), arguments.Positional)
        : throw new TemplateException("'format' takes its values by their place here.");

    /// <summary>Each line but the first, and but empty ones, with blanks (or a text) before it.</summary>
    public static Value Indented(Rendering rendering, Value input, CallArguments arguments)
    {
        arguments.Allow("width", "first", "blank");
        var indention = arguments.Find(0, "width") is StringValue given ? given.Text : Blanks(arguments.Integer(0, "width", 4));
        var (first, blank) = (arguments.Flag(1, "first", fallback: false), arguments.Flag(2, "blank", fallback: false));
        var text = new MarkedTextBuilder();
        if (first)
            text.Append(indention);
        var lines = TextCutting.Lines(input.ToText() + MarkedText.OfTemplate("\n"), keepsEnds: false);
        for (var i = 0; i < lines.Count; i++)
        {
            if (i > 0)
                text.Append("\n");
            if (i > 0 && (blank || lines[i].Length > 0))
                text.Append(indention);
            text.Append(lines[i]);
        }

        return new StringValue(text.End());
    }

    public static Value Truncated(Rendering rendering, Value input, CallArguments arguments)
    {
        arguments.Allow("length", "killwords", "end", "leeway");
        var text = input.ToText();
        var (length, leeway) = (arguments.Integer(0, "length", 255), arguments.Integer(3, "leeway", 5));
        var end = arguments.Text(2, "end", MarkedText.OfTemplate("..."));
        var endLength = PythonText.Characters(end.Text);
        if (length < endLength || leeway < 0)
            throw new TemplateException($"'truncate' takes a length of at least {endLength} and a leeway of at least 0.");
        if (PythonText.Characters(text.Text) <= length + leeway)
            return new StringValue(text);
        var kept = text.Slice(0, PythonText.Offset(text.Text, (int)(length - endLength)));
        var space = arguments.Flag(1, "killwords", fallback: false) ? -1 : kept.Text.LastIndexOf(' ');
        return new StringValue((space < 0 ? kept : kept.Slice(0, space)) + end);
    }

    public static Value Escaped(Rendering rendering, Value input, CallArguments arguments) => new StringValue(
        Entities.Aggregate(input.ToText(), (text, entity) => TextCutting.Replace(text, entity.Character, MarkedText.OfTemplate(entity.Entity), -1)));

    /// <summary>As Hugging Face's own <c>tojson</c>: Python's <c>json.dumps</c> with characters beyond ASCII as they are.</summary>
    public static Value Json(Rendering rendering, Value input, CallArguments arguments) => new StringValue(JsonText.Of(input, arguments));

    private static MarkedText Blanks(long width)
    {
        RenderLimits.CheckLength(width);
        return TextCutting.Join(Enumerable.Repeat(Blank, (int)Math.Max(0, width)), MarkedText.Empty);
    }
}
