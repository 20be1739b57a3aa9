namespace R1Serverless.Models.Templates;

/// <summary>The functions that every template has: Jinja's, and the two of Hugging Face.</summary>
internal static class Globals
{
    private static readonly Dictionary<string, Func<Rendering, CallArguments, Value>> Known = new(StringComparer.Ordinal)
    {
        ["range"] = (_, arguments) => Range(arguments),
        ["dict"] = (_, arguments) => new DictionaryValue(Entries(arguments)),
        ["namespace"] = (_, arguments) => Namespace(arguments),
        ["joiner"] = (_, arguments) => Joiner(arguments.Allow("sep").Find(0, "sep") ?? StringValue.OfTemplate(", ")),
        ["cycler"] = (_, arguments) => Cycler(arguments.Positional),
        ["raise_exception"] = (_, arguments) =>
            throw new TemplateException(arguments.Allow("message").Require(0, "message").ToText().Text) { IsRaised = true },
        ["strftime_now"] = (rendering, arguments) =>
            StringValue.OfTemplate(TimeText.Of(rendering.Time.GetLocalNow(), arguments.Allow("format").Text(0, "format").Text)),
    };

    /// <summary>A new outermost scope.</summary>
    public static Scope NewScope()
    {
        var scope = new Scope(null);
        foreach (var (name, function) in Known)
            scope.Set(name, new FunctionValue(name, function));
        return scope;
    }

    private static ListValue Range(CallArguments arguments)
    {
        arguments.Allow("start", "stop", "step");
        var first = arguments.Integer(0, "start", 0);
        var (start, stop) = arguments.Find(1, "stop") is null ? (0L, first) : (first, arguments.Integer(1, "stop", 0));
        var step = arguments.Integer(2, "step", 1);
        if (step == 0)
            throw new TemplateException("The step of 'range' can't be 0.");
        List<Value> numbers = [];
        for (var number = start; step > 0 ? number < stop : number > stop; number += step)
        {
            if (numbers.Count == RenderLimits.MaxRange)
                throw new TemplateException($"'range' makes at most {RenderLimits.MaxRange} numbers.");
            numbers.Add(IntegerValue.Of(number));
        }

        return new ListValue(numbers);
    }

    /// <summary>Of a dictionary or of pairs, if there is one, and of the named arguments.</summary>
    private static IEnumerable<KeyValuePair<Value, Value>> Entries(CallArguments arguments)
    {
        if (arguments.Positional.Count > 1)
            throw new TemplateException($"'{arguments.Callee}' takes at most 1 argument without a name.");
        var first = arguments.Positional.Count == 0 ? [] : arguments.Positional[0] switch
        {
            DictionaryValue dictionary => dictionary.Entries,
            var pairs => Iteration.Over(pairs).Select(pair => Iteration.Over(pair) is [var key, var value]
                ? KeyValuePair.Create(key, value)
                : throw new TemplateException($"'{arguments.Callee}' takes pairs.")),
        };
        return first.Concat(arguments.Named.Select(one => KeyValuePair.Create<Value, Value>(StringValue.OfTemplate(one.Key), one.Value)));
    }

    private static NamespaceValue Namespace(CallArguments arguments)
    {
        var space = new NamespaceValue();
        foreach (var (name, value) in Entries(arguments))
            space.Set(name.ToText().Text, value);
        return space;
    }

    /// <summary>Nothing at its first call, then the separator.</summary>
    private static FunctionValue Joiner(Value separator)
    {
        var isUsed = false;
        return new FunctionValue("joiner", (_, _) =>
        {
            var value = isUsed ? separator : StringValue.Empty;
            isUsed = true;
            return value;
        });
    }

    /// <summary>Its values in turn, by <c>next()</c>.</summary>
    private static NamespaceValue Cycler(IReadOnlyList<Value> values)
    {
        if (values.Count == 0)
            throw new TemplateException("'cycler' takes at least one value.");
        var (cycler, place) = (new NamespaceValue(), 0);
        cycler.Set("current", values[0]);
        cycler.Set("next", new FunctionValue("next", (_, _) => Move((place + 1) % values.Count, values[place])));
        cycler.Set("reset", new FunctionValue("reset", (_, _) => Move(0, NoneValue.Instance)));
        return cycler;

        Value Move(int next, Value result)
        {
            place = next;
            cycler.Set("current", values[place]);
            return result;
        }
    }
}
