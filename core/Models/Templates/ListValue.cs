namespace R1Serverless.Models.Templates;

/// <summary>A list or a tuple.</summary>
internal sealed class ListValue : Value
{
    /// <exception cref="TemplateException">It has too many elements, or too many lists are inside each other.</exception>
    public ListValue(IReadOnlyList<Value> elements, bool isTuple = false)
    {
        RenderLimits.CheckItems(elements.Count);
        (Elements, IsTuple, Nesting) = (elements, isTuple, NestingOf(elements));
    }

    public bool IsTuple { get; }

    public override IReadOnlyList<Value> Elements { get; }

    public override int Nesting { get; }

    public override string Kind => IsTuple ? "a tuple" : "a list";

    public override bool IsTrue => Elements.Count > 0;

    public override int? Count => Elements.Count;

    public override int Size => Elements.Count;

    /// <exception cref="TemplateException">Too many are inside each other.</exception>
    public static int NestingOf(IEnumerable<Value> elements)
    {
        var deepest = 1;
        foreach (var element in elements)
            deepest = Math.Max(deepest, element.Nesting + 1);
        return deepest <= RenderLimits.MaxValueNesting
            ? deepest
            : throw new TemplateException($"More than {RenderLimits.MaxValueNesting} lists or dictionaries are inside each other.");
    }

    public override MarkedText ToText()
    {
        var text = new MarkedTextBuilder().Append(IsTuple ? "(" : "[");
        for (var i = 0; i < Elements.Count; i++)
        {
            if (i > 0)
                text.Append(", ");
            text.Append(Elements[i].ToRepresentation());
        }

        return text.Append(IsTuple ? Elements.Count == 1 ? ",)" : ")" : "]").End();
    }

    public override Value? FindAttribute(string name) => ListMethods.Find(this, name);

    public override Value? FindItem(Value key)
    {
        if (key is not IntegerValue { Value: var index })
            return null;
        if (index < 0)
            index += Elements.Count;
        return index >= 0 && index < Elements.Count ? Elements[(int)index] : null;
    }
}
