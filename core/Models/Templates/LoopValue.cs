namespace R1Serverless.Models.Templates;

/// <summary>A loop's <c>loop</c>: which turn it is in.</summary>
internal sealed class LoopValue(ForStatement statement, IReadOnlyList<Value> elements, Scope outer, int depth) : Value
{
    public const string Name = "loop";

    private Value? _last;

    public override string Kind => "a loop";

    /// <summary>Counted from 0.</summary>
    public int Turn { get; set; }

    public override MarkedText ToText() => MarkedText.OfTemplate($"<loop {Turn + 1}/{elements.Count}>");

    public override Value? FindAttribute(string name) => name switch
    {
        "index" => IntegerValue.Of(Turn + 1),
        "index0" => IntegerValue.Of(Turn),
        "revindex" => IntegerValue.Of(elements.Count - Turn),
        "revindex0" => IntegerValue.Of(elements.Count - Turn - 1),
        "first" => BooleanValue.Of(Turn == 0),
        "last" => BooleanValue.Of(Turn == elements.Count - 1),
        "length" => IntegerValue.Of(elements.Count),
        "depth" => IntegerValue.Of(depth),
        "depth0" => IntegerValue.Of(depth - 1),
        "previtem" => Turn > 0 ? elements[Turn - 1] : new UndefinedValue("There is no previous element."),
        "nextitem" => Turn + 1 < elements.Count ? elements[Turn + 1] : new UndefinedValue("There is no next element."),
        "cycle" => new FunctionValue(name, (_, arguments) => Cycle(arguments.Positional)),
        "changed" => new FunctionValue(name, (_, arguments) => Changed(new ListValue(arguments.Positional, isTuple: true))),
        _ => null,
    };

    /// <summary>Runs a recursive loop's body over other elements.</summary>
    public override Value Call(Rendering rendering, CallArguments arguments)
    {
        if (!statement.IsRecursive)
            throw new TemplateException("A loop can be called only where it is 'recursive'.");
        var over = arguments.Of(Name).Allow("iterable").Require(0, "iterable");
        var inner = new Block([new Recursion(rendering.At, statement, over, outer, depth + 1)]);
        return new StringValue(rendering.Capture(inner, outer));
    }

    private Value Cycle(IReadOnlyList<Value> values) =>
        values.Count > 0 ? values[Turn % values.Count] : throw new TemplateException("'cycle' takes at least one value.");

    private BooleanValue Changed(Value now)
    {
        var changed = _last is null || !ValueComparer.AreEqual(_last, now);
        _last = now;
        return BooleanValue.Of(changed);
    }

    private sealed class Recursion(TemplatePosition at, ForStatement statement, Value over, Scope outer, int depth) : Statement(at)
    {
        protected override Flow Render(Rendering rendering) => statement.RunOver(rendering, over, outer, depth);
    }
}
