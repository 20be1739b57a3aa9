namespace R1Serverless.Models.Templates;

/// <summary><c>{% for target in elements if condition %}…{% else %}…{% endfor %}</c>.</summary>
/// <param name="isRecursive">Whether the body may call <c>loop(elements)</c>.</param>
internal sealed class ForStatement(
    TemplatePosition at, Target target, Expression elements, Expression? condition, Block body, Block? otherwise, bool isRecursive) : Statement(at)
{
    public bool IsRecursive => isRecursive;

    /// <summary>One run over the elements, each turn in a scope of its own.</summary>
    /// <param name="depth">How many loops of a recursive one this is inside of, itself counted.</param>
    public Flow RunOver(Rendering rendering, Value over, Scope outer, int depth)
    {
        rendering.At = At;
        var turns = Iteration.Over(rendering.Worked(over));
        if (condition is not null)
            turns = [.. turns.Where(element => IsWanted(rendering, outer, element))];
        if (turns.Count == 0)
            return otherwise is null ? Flow.Next : rendering.Within(new Scope(outer), () => otherwise.Run(rendering));

        var loop = new LoopValue(this, turns, outer, depth);
        for (var turn = 0; turn < turns.Count; turn++)
        {
            rendering.EnterTurn();
            loop.Turn = turn;
            var scope = new Scope(outer);
            target.Assign(scope, turns[turn]);
            scope.Set(LoopValue.Name, loop);
            if (rendering.Within(scope, () => body.Run(rendering)) == Flow.Break)
                break;
        }

        return Flow.Next;
    }

    protected override Flow Render(Rendering rendering) => RunOver(rendering, elements.Evaluate(rendering), rendering.Scope, 1);

    private bool IsWanted(Rendering rendering, Scope outer, Value element)
    {
        var scope = new Scope(outer);
        target.Assign(scope, element);
        return rendering.Within(scope, () => condition!.Evaluate(rendering).IsTrue);
    }
}
