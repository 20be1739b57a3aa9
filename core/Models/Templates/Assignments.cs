namespace R1Serverless.Models.Templates;

/// <summary>What a value is assigned to.</summary>
internal abstract class Target
{
    /// <exception cref="TemplateException">The value does not fit.</exception>
    public abstract void Assign(Scope scope, Value value);
}

internal sealed class NameTarget(string name) : Target
{
    public override void Assign(Scope scope, Value value) => scope.Set(name, value);
}

/// <summary><c>namespace.name</c>.</summary>
internal sealed class NamespaceTarget(string space, string name) : Target
{
    public override void Assign(Scope scope, Value value)
    {
        if (scope.Find(space) is not NamespaceValue found)
            throw new TemplateException($"'{space}' is no namespace, so '{space}.{name}' can't be set.");
        found.Set(name, value);
    }
}

/// <summary>Several targets for as many elements.</summary>
internal sealed class TupleTarget(IReadOnlyList<Target> targets) : Target
{
    public override void Assign(Scope scope, Value value)
    {
        var elements = Iteration.Over(value);
        if (elements.Count != targets.Count)
            throw new TemplateException($"{targets.Count} names can't take {elements.Count} values.");
        for (var i = 0; i < targets.Count; i++)
            targets[i].Assign(scope, elements[i]);
    }
}

/// <summary><c>{% set target = value %}</c>.</summary>
internal sealed class SetStatement(TemplatePosition at, Target target, Expression value) : Statement(at)
{
    protected override Flow Render(Rendering rendering)
    {
        var result = value.Evaluate(rendering);
        rendering.At = At;
        target.Assign(rendering.Scope, result);
        return Flow.Next;
    }
}

/// <summary><c>{% set target | filters %}…{% endset %}</c>: what the block prints.</summary>
/// <param name="filters">The last of the chain; null where there is none.</param>
internal sealed class SetBlockStatement(TemplatePosition at, Target target, FilterExpression? filters, Block body) : Statement(at)
{
    protected override Flow Render(Rendering rendering)
    {
        var text = new StringValue(rendering.Capture(body, new Scope(rendering.Scope)));
        rendering.At = At;
        target.Assign(rendering.Scope, filters?.Apply(rendering, text) ?? text);
        return Flow.Next;
    }
}

/// <summary><c>{% filter filters %}…{% endfilter %}</c>.</summary>
internal sealed class FilterStatement(TemplatePosition at, FilterExpression filters, Block body) : Statement(at)
{
    protected override Flow Render(Rendering rendering)
    {
        var text = new StringValue(rendering.Capture(body, new Scope(rendering.Scope)));
        rendering.Write(filters.Apply(rendering, text).ToText());
        return Flow.Next;
    }
}
