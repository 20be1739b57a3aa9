namespace R1Serverless.Models.Templates;

/// <summary>A dictionary, in the order in which its keys were set.</summary>
internal sealed class DictionaryValue : Value
{
    /// <param name="entries">Of a key that comes twice the last value counts.</param>
    /// <exception cref="TemplateException">It is too large, too many are inside each other, or a key is of a kind that can't be one.</exception>
    public DictionaryValue(IEnumerable<KeyValuePair<Value, Value>> entries)
    {
        var map = new OrderedDictionary<Value, Value>(ValueComparer.Instance);
        foreach (var (key, value) in entries)
            map[key] = value;
        RenderLimits.CheckItems(map.Count);
        (Entries, Nesting) = (map, ListValue.NestingOf(map.Values));
    }

    public OrderedDictionary<Value, Value> Entries { get; }

    public override int Nesting { get; }

    public override string Kind => "a dictionary";

    public override bool IsTrue => Entries.Count > 0;

    public override int? Count => Entries.Count;

    public override int Size => Entries.Count;

    public override IReadOnlyList<Value> Elements => Entries.Keys;

    /// <summary>Each key with its value, as tuples.</summary>
    public List<Value> Pairs => [.. Entries.Select(entry => new ListValue([entry.Key, entry.Value], isTuple: true))];

    public override MarkedText ToText()
    {
        var text = new MarkedTextBuilder().Append("{");
        var isFirst = true;
        foreach (var (key, value) in Entries)
        {
            if (!isFirst)
                text.Append(", ");
            text.Append(key.ToRepresentation()).Append(": ").Append(value.ToRepresentation());
            isFirst = false;
        }

        return text.Append("}").End();
    }

    public override Value? FindAttribute(string name) => DictionaryMethods.Find(this, name);

    public override Value? FindItem(Value key) => ValueComparer.IsKey(key) ? Entries.GetValueOrDefault(key) : null;
}
