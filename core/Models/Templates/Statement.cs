namespace R1Serverless.Models.Templates;

/// <summary>How rendering goes on after a statement.</summary>
internal enum Flow
{
    Next,

    /// <summary>With the loop's next turn.</summary>
    Continue,

    /// <summary>After the loop.</summary>
    Break,
}

/// <summary>A part of a template that prints or changes something.</summary>
internal abstract class Statement(TemplatePosition at)
{
    public TemplatePosition At { get; } = at;

    /// <exception cref="TemplateException">It fails, or a limit is reached.</exception>
    public Flow Run(Rendering rendering)
    {
        rendering.Enter(At);
        var flow = Render(rendering);
        rendering.Leave();
        return flow;
    }

    protected abstract Flow Render(Rendering rendering);
}

/// <summary>Statements one after the other.</summary>
internal sealed class Block(IReadOnlyList<Statement> statements)
{
    public Flow Run(Rendering rendering)
    {
        foreach (var statement in statements)
        {
            if (statement.Run(rendering) is var flow and not Flow.Next)
                return flow;
        }

        return Flow.Next;
    }
}

/// <summary>Text outside all tags.</summary>
internal sealed class TextStatement(TemplatePosition at, string text) : Statement(at)
{
    private readonly MarkedText _text = MarkedText.OfTemplate(text);

    protected override Flow Render(Rendering rendering)
    {
        rendering.Write(_text);
        return Flow.Next;
    }
}

/// <summary><c>{{ expression }}</c>.</summary>
internal sealed class OutputStatement(TemplatePosition at, Expression expression) : Statement(at)
{
    protected override Flow Render(Rendering rendering)
    {
        rendering.Write(expression.Evaluate(rendering).ToText());
        return Flow.Next;
    }
}

/// <summary><c>if</c> with all its <c>elif</c>, and <c>else</c>.</summary>
internal sealed class IfStatement(TemplatePosition at, IReadOnlyList<(Expression Condition, Block Body)> branches, Block? otherwise) : Statement(at)
{
    protected override Flow Render(Rendering rendering)
    {
        foreach (var (condition, body) in branches)
        {
            if (condition.Evaluate(rendering).IsTrue)
                return body.Run(rendering);
        }

        return otherwise?.Run(rendering) ?? Flow.Next;
    }
}

/// <summary><c>break</c> or <c>continue</c>.</summary>
internal sealed class JumpStatement(TemplatePosition at, Flow flow) : Statement(at)
{
    protected override Flow Render(Rendering rendering) => flow;
}

/// <summary>A block with a scope of its own: <c>with</c>, and Hugging Face's <c>generation</c>, which marks text for training.</summary>
internal sealed class ScopeStatement(TemplatePosition at, IReadOnlyList<(Target Target, Expression Value)> names, Block body) : Statement(at)
{
    protected override Flow Render(Rendering rendering)
    {
        var scope = new Scope(rendering.Scope);
        foreach (var (target, value) in names)
            target.Assign(scope, value.Evaluate(rendering));
        return rendering.Within(scope, () => body.Run(rendering));
    }
}
