namespace R1Serverless.Models.Templates;

/// <summary><c>and</c> or <c>or</c>: the value that decides, not whether it is true.</summary>
internal sealed class LogicalExpression(TemplatePosition at, bool isAnd, Expression left, Expression right) : Expression(at)
{
    protected override Value Compute(Rendering rendering)
    {
        var value = left.Evaluate(rendering);
        return value.IsTrue == isAnd ? right.Evaluate(rendering) : value;
    }
}

internal sealed class NotExpression(TemplatePosition at, Expression operand) : Expression(at)
{
    protected override Value Compute(Rendering rendering) => BooleanValue.Of(!operand.Evaluate(rendering).IsTrue);
}

internal sealed class SignExpression(TemplatePosition at, bool isMinus, Expression operand) : Expression(at)
{
    protected override Value Compute(Rendering rendering)
    {
        var value = operand.Evaluate(rendering);
        return Work(rendering, () => Arithmetic.Sign(isMinus, value));
    }
}

internal sealed class ArithmeticExpression(TemplatePosition at, string symbol, Expression left, Expression right) : Expression(at)
{
    protected override Value Compute(Rendering rendering)
    {
        var (a, b) = (left.Evaluate(rendering), right.Evaluate(rendering));
        return Work(rendering, () => Arithmetic.Apply(symbol, a, b));
    }
}

/// <summary><c>a ~ b</c>: the texts of all, joined.</summary>
internal sealed class ConcatExpression(TemplatePosition at, IReadOnlyList<Expression> parts) : Expression(at)
{
    protected override Value Compute(Rendering rendering)
    {
        var text = new MarkedTextBuilder();
        foreach (var part in parts)
            text.Append(part.Evaluate(rendering).ToText());
        return Work(rendering, () => new StringValue(text.End()));
    }
}

/// <summary>A chain such as <c>a &lt; b &lt;= c</c>: true where each pair is, each operand evaluated once at most.</summary>
internal sealed class ComparisonExpression(TemplatePosition at, Expression first, IReadOnlyList<(string Symbol, Expression Operand)> rest)
    : Expression(at)
{
    protected override Value Compute(Rendering rendering)
    {
        var left = first.Evaluate(rendering);
        foreach (var (symbol, operand) in rest)
        {
            var right = operand.Evaluate(rendering);
            rendering.At = At;
            rendering.Worked(left);
            rendering.Worked(right);
            if (!Holds(symbol, left, right))
                return BooleanValue.False;
            left = right;
        }

        return BooleanValue.True;
    }

    private static bool Holds(string symbol, Value left, Value right) => symbol switch
    {
        "==" => ValueComparer.AreEqual(left, right),
        "!=" => !ValueComparer.AreEqual(left, right),
        "<" => ValueComparer.Compare(left, right) < 0,
        "<=" => ValueComparer.Compare(left, right) <= 0,
        ">" => ValueComparer.Compare(left, right) > 0,
        ">=" => ValueComparer.Compare(left, right) >= 0,
        "in" => Arithmetic.Contains(right, left),
        _ => !Arithmetic.Contains(right, left),
    };
}
