namespace R1Serverless.Models.Templates;

/// <summary>Python's slices of strings, lists and tuples.</summary>
internal static class Slices
{
    /// <summary>From <paramref name="start"/> up to, without, <paramref name="stop"/>; negative ones count from the end.</summary>
    /// <exception cref="TemplateException">The step is 0, or the value has no slices.</exception>
    public static Value Of(Value value, long? start, long? stop, long? step)
    {
        if (step == 0)
            throw new TemplateException("The step of a slice can't be 0.");
        switch (value)
        {
            case ListValue list:
                return new ListValue([.. Places(list.Elements.Count, start, stop, step ?? 1).Select(place => list.Elements[place])], list.IsTuple);
            case StringValue { Text: var text } when step is null or 1:
                var (from, to) = Bounds(PythonText.Characters(text.Text), start, stop, 1);
                if (from >= to)
                    return StringValue.Empty;
                return new StringValue(text.Slice(PythonText.Offset(text.Text, (int)from), PythonText.Offset(text.Text, (int)to)));
            case StringValue characters:
                var all = characters.Elements;
                var picked = new MarkedTextBuilder();
                foreach (var place in Places(all.Count, start, stop, step!.Value))
                    picked.Append(all[place].ToText());
                return new StringValue(picked.End());
            case UndefinedValue missing:
                throw new TemplateException(missing.Reason);
            default:
                throw new TemplateException($"{Sentence.Begin(value.Kind)} has no slices.");
        }
    }

    private static IEnumerable<int> Places(int count, long? start, long? stop, long step)
    {
        var (from, to) = Bounds(count, start, stop, step);
        for (var place = from; step > 0 ? place < to : place > to; place += step)
            yield return (int)place;
    }

    private static (long From, long To) Bounds(int count, long? start, long? stop, long step)
    {
        // Going backwards, "before the first" is a place too.
        var (least, most) = step > 0 ? (0L, (long)count) : (-1L, count - 1L);
        return (Clamp(start, step > 0 ? least : most), Clamp(stop, step > 0 ? most : least));

        long Clamp(long? bound, long open) => bound switch
        {
            null => open,
            < 0 => Math.Clamp(Math.Max(bound.Value, -count - 1L) + count, least, most),
            _ => Math.Clamp(bound.Value, least, most),
        };
    }
}
