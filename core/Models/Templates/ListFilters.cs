namespace R1Serverless.Models.Templates;

/// <summary>Filters of lists, and of what can be gone over like one.</summary>
internal static class ListFilters
{
    public static Value Length(Rendering rendering, Value input, CallArguments arguments) =>
        IntegerValue.Of(input.Count ?? throw new TemplateException($"{Sentence.Begin(input.Kind)} has no length."));

    public static Value ToList(Value input, CallArguments arguments)
    {
        arguments.Allow();
        return new ListValue(Iteration.Over(input));
    }

    public static Value First(Rendering rendering, Value input, CallArguments arguments) =>
        Iteration.Over(input) is [var first, ..] ? first : new UndefinedValue("There is no first element: nothing is in it.");

    public static Value Last(Rendering rendering, Value input, CallArguments arguments) =>
        Iteration.Over(input) is [.., var last] ? last : new UndefinedValue("There is no last element: nothing is in it.");

    public static Value Entries(Rendering rendering, Value input, CallArguments arguments) => input switch
    {
        DictionaryValue dictionary => new ListValue(dictionary.Pairs),
        UndefinedValue => new ListValue([]),
        _ => throw new TemplateException($"'items' takes a dictionary, not {input.Kind}."),
    };

    public static Value Reversed(Rendering rendering, Value input, CallArguments arguments)
    {
        if (input is StringValue)
            return Slices.Of(input, null, null, -1);
        return new ListValue([.. Iteration.Over(input).Reverse()]);
    }

    public static Value Sorted(Rendering rendering, Value input, CallArguments arguments)
    {
        arguments.Allow("reverse", "case_sensitive", "attribute");
        var attribute = Selections.AttributeOf(arguments.Find(2, "attribute"));
        var keys = Keys(arguments.Flag(1, "case_sensitive", fallback: false), attribute);
        return new ListValue(Ordered(Iteration.Over(input), keys, arguments.Flag(0, "reverse", fallback: false)));
    }

    /// <summary>A dictionary's entries by key or by value.</summary>
    public static Value SortedEntries(Rendering rendering, Value input, CallArguments arguments)
    {
        arguments.Allow("case_sensitive", "by", "reverse");
        if (input is not DictionaryValue dictionary)
            throw new TemplateException($"'dictsort' takes a dictionary, not {input.Kind}.");
        var place = arguments.Text(1, "by", MarkedText.OfTemplate("key")).Text switch
        {
            "key" => 0,
            "value" => 1,
            _ => throw new TemplateException("'dictsort' sorts by key or by value."),
        };
        var keys = Keys(arguments.Flag(0, "case_sensitive", fallback: false), pair => pair.Elements![place]);
        return new ListValue(Ordered(dictionary.Pairs, keys, arguments.Flag(2, "reverse", fallback: false)));
    }

    /// <summary>The first of each kind.</summary>
    public static Value Unique(Rendering rendering, Value input, CallArguments arguments)
    {
        arguments.Allow("case_sensitive", "attribute");
        var keys = Keys(arguments.Flag(0, "case_sensitive", fallback: false), Selections.AttributeOf(arguments.Find(1, "attribute")));
        return new ListValue([.. Iteration.Over(input).DistinctBy(keys, ValueComparer.Instance)]);
    }

    /// <param name="sign">1 for the greatest, -1 for the least.</param>
    public static Value Extreme(Value input, CallArguments arguments, int sign)
    {
        arguments.Allow("case_sensitive", "attribute");
        var keys = Keys(arguments.Flag(0, "case_sensitive", fallback: false), Selections.AttributeOf(arguments.Find(1, "attribute")));
        Value? best = null;
        foreach (var one in Iteration.Over(input))
        {
            if (best is null || ValueComparer.Compare(keys(one), keys(best)) * sign > 0)
                best = one;
        }

        return best ?? new UndefinedValue("There is no such element: nothing is in it.");
    }

    /// <summary>Lists of so many elements each, the last filled up where there is something to fill with.</summary>
    public static Value Batch(Rendering rendering, Value input, CallArguments arguments)
    {
        var size = (int)Math.Clamp(arguments.Allow("linecount", "fill_with").Integer(0, "linecount", 1), 1, RenderLimits.MaxItems);
        var filling = arguments.Find(1, "fill_with");
        var batches = Iteration.Over(input).Chunk(size).Select(batch =>
            new ListValue(filling is null or NoneValue ? batch : [.. batch, .. Enumerable.Repeat(filling, size - batch.Length)]));
        return new ListValue([.. batches]);
    }

    /// <summary>So many lists of about as many elements each.</summary>
    public static Value Columns(Rendering rendering, Value input, CallArguments arguments)
    {
        var count = (int)Math.Clamp(arguments.Allow("slices", "fill_with").Integer(0, "slices", 1), 1, RenderLimits.MaxRange);
        var (elements, filling) = (Iteration.Over(input), arguments.Find(1, "fill_with"));
        var (size, longer) = Math.DivRem(elements.Count, count);
        List<Value> columns = [];
        var at = 0;
        for (var column = 0; column < count; column++)
        {
            var length = column < longer ? size + 1 : size;
            List<Value> part = [.. elements.Skip(at).Take(length)];
            if (filling is not (null or NoneValue) && column >= longer && longer > 0)
                part.Add(filling);
            columns.Add(new ListValue(part));
            at += length;
        }

        return new ListValue(columns);
    }

    /// <summary>What elements are compared by.</summary>
    private static Func<Value, Value> Keys(bool isCaseSensitive, Func<Value, Value> attribute) => element => attribute(element) switch
    {
        StringValue text when !isCaseSensitive => new StringValue(text.Text.Map(one => one.ToLowerInvariant())),
        var key => key,
    };

    public static List<Value> Ordered(IEnumerable<Value> elements, Func<Value, Value> keys, bool isReversed)
    {
        // Equal ones need no order: two that are undefined have none.
        var comparer = Comparer<Value>.Create((left, right) => ValueComparer.AreEqual(left, right) ? 0 : ValueComparer.Compare(left, right));
        try
        {
            // Equal ones keep their order, also backwards.
            return [.. isReversed ? elements.OrderByDescending(keys, comparer) : elements.OrderBy(keys, comparer)];
        }
        catch (InvalidOperationException fault) when (fault.InnerException is TemplateException reason)
        {
            throw new TemplateException(reason.Reason);
        }
    }
}
