namespace R1Serverless.Models.Templates;

/// <summary>How an argument is given: by its place, by a name, or as a list or dictionary of several.</summary>
internal enum ArgumentForm
{
    Positional,
    Named,
    Sequence,
    Mapping,
}

internal sealed record Argument(ArgumentForm Form, string Name, Expression Value);

/// <summary>The brackets of a call.</summary>
internal sealed class ArgumentList(IReadOnlyList<Argument> arguments)
{
    public static ArgumentList Empty { get; } = new([]);

    /// <param name="callee">For messages.</param>
    public CallArguments Evaluate(Rendering rendering, string callee)
    {
        if (arguments.Count == 0)
            return CallArguments.None.Of(callee);
        List<Value> positional = [];
        Dictionary<string, Value> named = new(StringComparer.Ordinal);
        foreach (var (form, name, expression) in arguments)
        {
            var value = expression.Evaluate(rendering);
            switch (form)
            {
                case ArgumentForm.Positional:
                    positional.Add(value);
                    break;
                case ArgumentForm.Named:
                    named[name] = value;
                    break;
                case ArgumentForm.Sequence:
                    positional.AddRange(Iteration.Over(value));
                    break;
                default:
                    AddAll(value, named);
                    break;
            }
        }

        return new CallArguments(positional, named, callee);
    }

    private static void AddAll(Value value, Dictionary<string, Value> named)
    {
        if (value is not DictionaryValue dictionary)
            throw new TemplateException($"What stands after '**' must be a dictionary, not {value.Kind}.");
        foreach (var (key, one) in dictionary.Entries)
            named[key.ToText().Text] = one;
    }
}

internal sealed class CallExpression(TemplatePosition at, Expression callee, ArgumentList arguments) : Expression(at)
{
    protected override Value Compute(Rendering rendering) => Invoke(rendering, caller: null);

    /// <param name="caller">What a call block hands over; null in a plain call.</param>
    public Value Invoke(Rendering rendering, Value? caller)
    {
        var function = callee.Evaluate(rendering);
        var given = arguments.Evaluate(rendering, "");
        if (caller is not null)
        {
            Dictionary<string, Value> named = new(given.Named, StringComparer.Ordinal) { [Macro.Caller] = caller };
            given = new CallArguments(given.Positional, named);
        }

        return Work(rendering, () => function.Call(rendering, given));
    }
}

/// <summary><c>value|filter(arguments)</c>.</summary>
/// <param name="input">Null at the beginning of a filter block's chain, whose input is the block.</param>
internal sealed class FilterExpression(TemplatePosition at, Expression? input, string name, Filter filter, ArgumentList arguments) : Expression(at)
{
    /// <summary>Applies the chain that ends here to a text.</summary>
    public Value Apply(Rendering rendering, Value text)
    {
        var value = input is FilterExpression before ? before.Apply(rendering, text) : text;
        return Filtered(rendering, value);
    }

    protected override Value Compute(Rendering rendering) => Filtered(rendering, input!.Evaluate(rendering));

    private Value Filtered(Rendering rendering, Value value)
    {
        var given = arguments.Evaluate(rendering, name);
        return Work(rendering, () => filter(rendering, rendering.Worked(value), given));
    }
}

/// <summary><c>value is test(arguments)</c>.</summary>
internal sealed class TestExpression(TemplatePosition at, Expression input, string name, ValueTest test, ArgumentList arguments) : Expression(at)
{
    protected override Value Compute(Rendering rendering)
    {
        var value = input.Evaluate(rendering);
        var given = arguments.Evaluate(rendering, name);
        return Work(rendering, () => BooleanValue.Of(test(value, given)));
    }
}
