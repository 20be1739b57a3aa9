using System.Globalization;

namespace R1Serverless.Models.Templates;

/// <summary>Python's operators on numbers, strings and lists.</summary>
internal static class Arithmetic
{
    /// <exception cref="TemplateException">The operands are of kinds that the operator doesn't take, or the result can't be held.</exception>
    public static Value Apply(string symbol, Value left, Value right)
    {
        if ((left as UndefinedValue ?? right as UndefinedValue) is { } missing)
            throw new TemplateException(missing.Reason);
        try
        {
            return (symbol, left, right) switch
            {
                ("+", StringValue a, StringValue b) => new StringValue(a.Text + b.Text),
                ("+", ListValue a, ListValue b) when a.IsTuple == b.IsTuple => Joined(a, b),
                ("*", StringValue or ListValue, IntegerValue count) => Repeated(left, count.Value),
                ("*", IntegerValue count, StringValue or ListValue) => Repeated(right, count.Value),
                ("%", StringValue format, ListValue { IsTuple: true } values) => Formatting.Percent(format.Text, values.Elements),
                ("%", StringValue format, _) => Formatting.Percent(format.Text, [right]),
                (_, IntegerValue a, IntegerValue b) => OfIntegers(symbol, a.Value, b.Value),
                (_, NumberValue a, NumberValue b) => OfFloats(symbol, a.Number, b.Number),
                _ => throw new TemplateException($"'{symbol}' can't join {left.Kind} and {right.Kind}."),
            };
        }
        catch (OverflowException)
        {
            throw new TemplateException($"The result of '{symbol}' is beyond 64 bits.");
        }
    }

    public static Value Sign(bool isMinus, Value value) => value switch
    {
        IntegerValue number => IntegerValue.Of(isMinus ? unchecked(-number.Value) : number.Value),
        FloatValue number => new FloatValue(isMinus ? -number.Number : number.Number),
        UndefinedValue missing => throw new TemplateException(missing.Reason),
        _ => throw new TemplateException($"{Sentence.Begin(value.Kind)} has no sign."),
    };

    /// <summary>Whether <c>item in holder</c>.</summary>
    /// <exception cref="TemplateException">The holder can't hold it.</exception>
    public static bool Contains(Value holder, Value item) => (holder, item) switch
    {
        (StringValue text, StringValue part) => text.Text.Text.Contains(part.Text.Text, StringComparison.Ordinal),
        (StringValue, UndefinedValue missing) => throw new TemplateException(missing.Reason),
        (StringValue, _) => throw new TemplateException($"A string can hold a string, not {item.Kind}."),
        (DictionaryValue dictionary, _) => ValueComparer.IsKey(item) && dictionary.Entries.ContainsKey(item),
        _ => Iteration.Over(holder).Any(one => ValueComparer.AreEqual(one, item)),
    };

    private static ListValue Joined(ListValue left, ListValue right)
    {
        RenderLimits.CheckItems((long)left.Elements.Count + right.Elements.Count);
        return new ListValue([.. left.Elements, .. right.Elements], left.IsTuple);
    }

    private static Value Repeated(Value value, long count)
    {
        count = Math.Clamp(count, 0, int.MaxValue);
        if (value is ListValue list)
        {
            RenderLimits.CheckItems(list.Elements.Count * count);
            var times = list.Elements.Count == 0 ? 0 : (int)count;
            return new ListValue([.. Enumerable.Repeat(list.Elements, times).SelectMany(one => one)], list.IsTuple);
        }

        var text = value.ToText();
        RenderLimits.CheckLength(text.Length * count);
        var repeated = new MarkedTextBuilder();
        for (var i = 0; i < count && text.Length > 0; i++)
            repeated.Append(text);
        return new StringValue(repeated.End());
    }

    private static Value OfIntegers(string symbol, long left, long right) => symbol switch
    {
        "+" => IntegerValue.Of(checked(left + right)),
        "-" => IntegerValue.Of(checked(left - right)),
        "*" => IntegerValue.Of(checked(left * right)),
        "**" when right >= 0 => IntegerValue.Of(Power(left, right)),
        _ when symbol is not "**" && right == 0 => throw new TemplateException($"'{symbol}' can't divide by 0."),
        "//" => IntegerValue.Of(FloorDivided(left, right)),
        "%" => IntegerValue.Of(right == -1 ? 0 : checked(left - (FloorDivided(left, right) * right))),
        _ => OfFloats(symbol, left, right),
    };

    private static FloatValue OfFloats(string symbol, double left, double right) => symbol switch
    {
        "+" => new FloatValue(left + right),
        "-" => new FloatValue(left - right),
        "*" => new FloatValue(left * right),
        "**" => new FloatValue(Math.Pow(left, right)),
        _ when right == 0 => throw new TemplateException($"'{symbol}' can't divide by 0."),
        "/" => new FloatValue(left / right),
        "//" => new FloatValue(Math.Floor(left / right)),
        "%" => new FloatValue(left - (Math.Floor(left / right) * right)),
        _ => throw new TemplateException(string.Create(CultureInfo.InvariantCulture, $"'{symbol}' can't join numbers.")),
    };

    private static long FloorDivided(long left, long right)
    {
        var quotient = checked(left / right);
        return left % right != 0 && (left < 0) != (right < 0) ? quotient - 1 : quotient;
    }

    private static long Power(long number, long exponent)
    {
        var power = 1L;
        // Of what doesn't overflow at once, only these have a power of any size.
        if (number is 0 or 1 or -1)
            return exponent == 0 ? 1 : number == -1 && exponent % 2 == 0 ? 1 : number;
        for (; exponent > 0; exponent--)
            power = checked(power * number);
        return power;
    }
}
