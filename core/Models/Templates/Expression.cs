namespace R1Serverless.Models.Templates;

/// <summary>A part of a template that has a value. Immutable, as all nodes are: several threads may render a parsed template at once.</summary>
internal abstract class Expression(TemplatePosition at)
{
    public TemplatePosition At { get; } = at;

    /// <exception cref="TemplateException">It has no value, or a limit is reached.</exception>
    public Value Evaluate(Rendering rendering)
    {
        rendering.Enter(At);
        var value = Compute(rendering);
        rendering.Leave();
        return value;
    }

    protected abstract Value Compute(Rendering rendering);

    /// <summary>Counts the work on a result whose operands were evaluated, and says where a fault of it is.</summary>
    protected Value Work(Rendering rendering, Func<Value> compute)
    {
        rendering.At = At;
        return rendering.Worked(compute());
    }
}

internal sealed class Literal(TemplatePosition at, Value value) : Expression(at)
{
    public Value Value => value;

    protected override Value Compute(Rendering rendering) => value;
}

internal sealed class NameExpression(TemplatePosition at, string name) : Expression(at)
{
    public string Name => name;

    protected override Value Compute(Rendering rendering) => rendering.Scope.Find(name) ?? UndefinedValue.Named(name);
}

internal sealed class AttributeExpression(TemplatePosition at, Expression of, string name) : Expression(at)
{
    protected override Value Compute(Rendering rendering)
    {
        var value = of.Evaluate(rendering);
        rendering.At = At;
        return value.Attribute(name);
    }
}

internal sealed class ItemExpression(TemplatePosition at, Expression of, Expression key) : Expression(at)
{
    protected override Value Compute(Rendering rendering)
    {
        var (value, item) = (of.Evaluate(rendering), key.Evaluate(rendering));
        return Work(rendering, () => value.Item(item));
    }
}

/// <summary><c>value[start:stop:step]</c>, each of them optional.</summary>
internal sealed class SliceExpression(TemplatePosition at, Expression of, Expression? start, Expression? stop, Expression? step) : Expression(at)
{
    protected override Value Compute(Rendering rendering)
    {
        var value = of.Evaluate(rendering);
        var (from, to, by) = (Bound(start, rendering), Bound(stop, rendering), Bound(step, rendering));
        return Work(rendering, () => Slices.Of(rendering.Worked(value), from, to, by));
    }

    private static long? Bound(Expression? bound, Rendering rendering) => bound?.Evaluate(rendering) switch
    {
        null or NoneValue => null,
        IntegerValue number => number.Value,
        var other => throw new TemplateException($"The bounds of a slice are whole numbers, not {other.Kind}."),
    };
}

internal sealed class ListExpression(TemplatePosition at, IReadOnlyList<Expression> elements, bool isTuple) : Expression(at)
{
    protected override Value Compute(Rendering rendering) => new ListValue([.. elements.Select(element => element.Evaluate(rendering))], isTuple);
}

internal sealed class DictionaryExpression(TemplatePosition at, IReadOnlyList<KeyValuePair<Expression, Expression>> entries) : Expression(at)
{
    protected override Value Compute(Rendering rendering) =>
        new DictionaryValue(entries.Select(entry => KeyValuePair.Create(entry.Key.Evaluate(rendering), entry.Value.Evaluate(rendering))));
}

/// <summary><c>value if condition else other</c>.</summary>
internal sealed class ConditionalExpression(TemplatePosition at, Expression condition, Expression then, Expression? otherwise) : Expression(at)
{
    protected override Value Compute(Rendering rendering)
    {
        if (condition.Evaluate(rendering).IsTrue)
            return then.Evaluate(rendering);
        return otherwise?.Evaluate(rendering) ?? new UndefinedValue("The condition of this expression is false, and it has no 'else'.");
    }
}
