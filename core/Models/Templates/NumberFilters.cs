using System.Globalization;

namespace R1Serverless.Models.Templates;

/// <summary>Filters that make numbers.</summary>
internal static class NumberFilters
{
    public static Value Absolute(Rendering rendering, Value input, CallArguments arguments) => input switch
    {
        IntegerValue { Value: long.MinValue } => throw new TemplateException("The result of 'abs' is beyond 64 bits."),
        IntegerValue number => IntegerValue.Of(Math.Abs(number.Value)),
        FloatValue number => new FloatValue(Math.Abs(number.Number)),
        _ => throw new TemplateException($"'abs' takes a number, not {input.Kind}."),
    };

    /// <summary>A whole number, or the default where the input is none.</summary>
    public static Value ToInteger(Rendering rendering, Value input, CallArguments arguments)
    {
        arguments.Allow("default", "base");
        var numberBase = arguments.Integer(1, "base", 10);
        if (numberBase is not (2 or 8 or 10 or 16))
            throw new TemplateException("'int' takes the bases 2, 8, 10 and 16.");
        switch (input)
        {
            case IntegerValue number:
                return IntegerValue.Of(number.Value);
            case FloatValue { Number: > long.MinValue and < long.MaxValue } number:
                return IntegerValue.Of((long)number.Number);
            case StringValue text when numberBase == 10:
                var digits = text.Text.Text.Trim();
                if (long.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole))
                    return IntegerValue.Of(whole);
                if (Parsed(digits) is { } real && Math.Abs(real) < long.MaxValue)
                    return IntegerValue.Of((long)real);
                break;
            case StringValue text:
                try
                {
                    return IntegerValue.Of(Convert.ToInt64(text.Text.Text.Trim(), (int)numberBase));
                }
                catch (Exception fault) when (fault is FormatException or OverflowException or ArgumentException)
                {
                    break;
                }
        }

        return arguments.Find(0, "default") ?? IntegerValue.Of(0);
    }

    /// <summary>A float, or the default where the input is no number.</summary>
    public static Value ToFloat(Rendering rendering, Value input, CallArguments arguments) => input switch
    {
        NumberValue number => new FloatValue(number.Number),
        StringValue text when Parsed(text.Text.Text.Trim()) is { } number => new FloatValue(number),
        _ => arguments.Allow("default").Find(0, "default") ?? new FloatValue(0),
    };

    public static Value Rounded(Rendering rendering, Value input, CallArguments arguments)
    {
        arguments.Allow("precision", "method");
        if (input is not NumberValue { Number: var number })
            throw new TemplateException($"'round' takes a number, not {input.Kind}.");
        var digits = (int)Math.Clamp(arguments.Integer(0, "precision", 0), 0, 15);
        var scale = Math.Pow(10, digits);
        return new FloatValue(arguments.Text(1, "method", MarkedText.OfTemplate("common")).Text switch
        {
            "common" => Math.Round(number, digits, MidpointRounding.ToEven),
            "ceil" => Math.Ceiling(number * scale) / scale,
            "floor" => Math.Floor(number * scale) / scale,
            _ => throw new TemplateException("'round' knows the methods common, ceil and floor."),
        });
    }

    public static Value Sum(Rendering rendering, Value input, CallArguments arguments)
    {
        arguments.Allow("attribute", "start");
        var numbers = Iteration.Over(input).Select(Selections.AttributeOf(arguments.Find(0, "attribute")));
        return numbers.Aggregate(arguments.Find(1, "start") ?? IntegerValue.Of(0), (sum, number) => Arithmetic.Apply("+", sum, number));
    }

    private static double? Parsed(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : null;
}
