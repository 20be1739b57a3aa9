namespace R1Serverless.Models.Templates;

/// <summary>A string. Places in it count characters as Python does, not UTF-16 units.</summary>
internal sealed class StringValue(MarkedText text) : Value
{
    public static StringValue Empty { get; } = new(MarkedText.Empty);

    public MarkedText Text { get; } = text;

    public override string Kind => "a string";

    public override bool IsTrue => Text.Length > 0;

    public override int? Count => PythonText.Characters(Text.Text);

    public override int Size => Text.Length;

    public override IReadOnlyList<Value> Elements
    {
        get
        {
            RenderLimits.CheckItems(Text.Length);
            var characters = new List<Value>(Text.Length);
            for (var at = 0; at < Text.Length;)
            {
                var end = PythonText.Next(Text.Text, at);
                characters.Add(new StringValue(Text.Slice(at, end)));
                at = end;
            }

            return characters;
        }
    }

    public static StringValue OfTemplate(string text) => new(MarkedText.OfTemplate(text));

    public override MarkedText ToText() => Text;

    public override MarkedText ToRepresentation() => MarkedText.Made(PythonText.Quoted(Text.Text), Text.HasUserText);

    public override Value? FindAttribute(string name) => StringMethods.Find(this, name);

    public override Value? FindItem(Value key)
    {
        if (key is not IntegerValue { Value: var index })
            return null;
        var count = PythonText.Characters(Text.Text);
        if (index < 0)
            index += count;
        if (index < 0 || index >= count)
            return null;
        var start = PythonText.Offset(Text.Text, (int)index);
        return new StringValue(Text.Slice(start, PythonText.Next(Text.Text, start)));
    }
}
