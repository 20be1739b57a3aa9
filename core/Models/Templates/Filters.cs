namespace R1Serverless.Models.Templates;

/// <summary>A filter: a function of a value and the arguments in its brackets.</summary>
internal delegate Value Filter(Rendering rendering, Value input, CallArguments arguments);

/// <summary>The filters by their names, with the arguments that Jinja documents.</summary>
internal static class Filters
{
    private static readonly Dictionary<string, Filter> Known = new(StringComparer.Ordinal)
    {
        ["abs"] = NumberFilters.Absolute,
        ["attr"] = (_, input, arguments) => input.FindAttribute(arguments.Allow("name").Text(0, "name").Text)
            ?? new UndefinedValue($"{Sentence.Begin(input.Kind)} has no attribute '{arguments.Text(0, "name").Text}'."),
        ["batch"] = ListFilters.Batch,
        ["capitalize"] = (_, input, arguments) => TextFilters.Mapped(input, arguments, TextCases.Capitalize),
        ["count"] = ListFilters.Length,
        ["d"] = Default,
        ["default"] = Default,
        ["dictsort"] = ListFilters.SortedEntries,
        ["e"] = TextFilters.Escaped,
        ["escape"] = TextFilters.Escaped,
        ["first"] = ListFilters.First,
        ["float"] = NumberFilters.ToFloat,
        ["format"] = TextFilters.Formatted,
        ["groupby"] = Selections.Grouped,
        ["indent"] = TextFilters.Indented,
        ["int"] = NumberFilters.ToInteger,
        ["items"] = ListFilters.Entries,
        ["join"] = TextFilters.Joined,
        ["last"] = ListFilters.Last,
        ["length"] = ListFilters.Length,
        ["list"] = (_, input, arguments) => ListFilters.ToList(input, arguments),
        ["lower"] = (_, input, arguments) => TextFilters.Mapped(input, arguments, text => text.ToLowerInvariant()),
        ["map"] = Selections.Map,
        ["max"] = (_, input, arguments) => ListFilters.Extreme(input, arguments, 1),
        ["min"] = (_, input, arguments) => ListFilters.Extreme(input, arguments, -1),
        ["reject"] = (rendering, input, arguments) => Selections.Select(rendering, input, arguments, wanted: false),
        ["rejectattr"] = (rendering, input, arguments) => Selections.SelectByAttribute(rendering, input, arguments, wanted: false),
        ["replace"] = TextFilters.Replaced,
        ["reverse"] = ListFilters.Reversed,
        ["round"] = NumberFilters.Rounded,
        ["safe"] = (_, input, _) => new StringValue(input.ToText()),
        ["select"] = (rendering, input, arguments) => Selections.Select(rendering, input, arguments, wanted: true),
        ["selectattr"] = (rendering, input, arguments) => Selections.SelectByAttribute(rendering, input, arguments, wanted: true),
        ["slice"] = ListFilters.Columns,
        ["sort"] = ListFilters.Sorted,
        ["string"] = (_, input, _) => input as StringValue ?? new StringValue(input.ToText()),
        ["sum"] = NumberFilters.Sum,
        ["title"] = (_, input, arguments) => TextFilters.Mapped(input, arguments, TextCases.TitleOfWords),
        ["tojson"] = TextFilters.Json,
        ["trim"] = TextFilters.Trimmed,
        ["truncate"] = TextFilters.Truncated,
        ["unique"] = ListFilters.Unique,
        ["upper"] = (_, input, arguments) => TextFilters.Mapped(input, arguments, text => text.ToUpperInvariant()),
        ["wordcount"] = (_, input, _) => IntegerValue.Of(TextCutting.Words(input.ToText(), -1, fromRight: false).Count),
    };

    public static Filter? Find(string name) => Known.GetValueOrDefault(name);

    /// <summary>The value, unless it is undefined (or, where asked for, counts as false).</summary>
    private static Value Default(Rendering rendering, Value input, CallArguments arguments)
    {
        arguments.Allow("default_value", "boolean");
        var isMissing = input is UndefinedValue || (arguments.Flag(1, "boolean", fallback: false) && !input.IsTrue);
        return isMissing ? arguments.Find(0, "default_value") ?? StringValue.Empty : input;
    }
}
