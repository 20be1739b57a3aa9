using System.Globalization;

namespace R1Serverless.Models.Templates;

/// <summary>Python's two ways to put values into a string, without widths: <c>"%s" % value</c> and <c>"{}".format(value)</c>.</summary>
internal static class Formatting
{
    /// <summary>Knows %s, %r, %d, %i, %f, %.Nf and %%.</summary>
    /// <exception cref="TemplateException">The format has anything else, or values are missing or left over.</exception>
    public static StringValue Percent(MarkedText format, IReadOnlyList<Value> values)
    {
        var text = new MarkedTextBuilder();
        var (at, used) = (0, 0);
        while (format.Text.IndexOf('%', at) is var percent and >= 0)
        {
            text.Append(format.Slice(at, percent));
            var end = percent + 1;
            while (end < format.Length && (char.IsAsciiDigit(format.Text[end]) || format.Text[end] == '.'))
                end++;
            if (end == format.Length)
                throw new TemplateException("The format ends in '%'.");
            if (format.Text[end] == '%')
                text.Append("%");
            else if (used == values.Count)
                throw new TemplateException("The format needs more values.");
            else
                text.Append(Converted(format.Text[end], format.Text[(percent + 1)..end], values[used++]));
            at = end + 1;
        }

        if (used < values.Count)
            throw new TemplateException("The format needs fewer values.");
        return new StringValue(text.Append(format.Slice(at, format.Length)).End());
    }

    /// <summary>Knows {}, {0}, {name}, and the doubled braces.</summary>
    /// <exception cref="TemplateException">The format has anything else, or a value is missing.</exception>
    public static StringValue Braces(MarkedText format, CallArguments arguments)
    {
        var text = new MarkedTextBuilder();
        var (at, next) = (0, 0);
        while (format.Text.AsSpan(at).IndexOfAny('{', '}') is var distance and >= 0)
        {
            var brace = at + distance;
            text.Append(format.Slice(at, brace));
            if (brace + 1 < format.Length && format.Text[brace + 1] == format.Text[brace])
            {
                text.Append(format.Slice(brace, brace + 1));
                at = brace + 2;
                continue;
            }

            var end = format.Text.IndexOf('}', brace);
            if (format.Text[brace] == '}' || end < 0)
                throw new TemplateException("The format has a brace without its counterpart.");
            var name = format.Text[(brace + 1)..end];
            var place = name.Length == 0 ? next++ : int.TryParse(name, NumberStyles.None, null, out var number) ? number : -1;
            text.Append((place >= 0 ? arguments.Positional.ElementAtOrDefault(place) : arguments.Named.GetValueOrDefault(name))?.ToText()
                ?? throw new TemplateException($"The format has no value for '{{{name}}}'."));
            at = end + 1;
        }

        return new StringValue(text.Append(format.Slice(at, format.Length)).End());
    }

    private static MarkedText Converted(char conversion, string options, Value value) => (conversion, value) switch
    {
        ('s', _) when options.Length == 0 => value.ToText(),
        ('r', _) when options.Length == 0 => value.ToRepresentation(),
        ('d' or 'i', NumberValue number) when options.Length == 0 =>
            MarkedText.OfTemplate(((long)number.Number).ToString(CultureInfo.InvariantCulture)),
        ('f', NumberValue number) when Decimals(options) is { } decimals =>
            MarkedText.OfTemplate(number.Number.ToString($"F{decimals}", CultureInfo.InvariantCulture)),
        _ => throw new TemplateException($"The format '%{options}{conversion}' of {value.Kind} is not supported."),
    };

    private static int? Decimals(string options)
    {
        if (options.Length == 0)
            return 6;
        return options[0] == '.' && int.TryParse(options.AsSpan(1), NumberStyles.None, null, out var decimals) && decimals < 20 ? decimals : null;
    }
}
