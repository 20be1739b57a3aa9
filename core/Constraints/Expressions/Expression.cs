using R1Serverless.Constraints.Automata;

namespace R1Serverless.Constraints.Expressions;

/// <summary>A parsed regular expression.</summary>
internal abstract record Expression
{
    public sealed record Class(CodePoints Set) : Expression;

    public sealed record Sequence(List<Expression> Parts) : Expression;

    public sealed record Choice(List<Expression> Options) : Expression;

    public sealed record Repeated(Expression Part, int Min, int Max) : Expression;

    /// <summary>^ or $.</summary>
    public sealed record Anchor(bool IsEnd) : Expression;

    /// <summary>What must, or must not, follow here.</summary>
    public sealed record Look(Expression Part, bool IsNegative) : Expression;

    public bool HasAnchor => this switch
    {
        Anchor or Look => true,
        Sequence sequence => sequence.Parts.Exists(part => part.HasAnchor),
        Choice choice => choice.Options.Exists(option => option.HasAnchor),
        Repeated repeated => repeated.Part.HasAnchor,
        _ => false,
    };
}

/// <summary>Turns regular expressions into terms.</summary>
internal sealed class ExpressionCompiler(Characters characters)
{
    private const int MaxDistributed = 256;

    private readonly TermStore _store = characters.Store;
    private int _distributed;

    /// <summary>The texts that an expression matches from end to end.</summary>
    public Term Whole(string source) => Lines(ExpressionParser.Parse(source), source, isWhole: true);

    /// <summary>The texts in which an expression is found.</summary>
    public Term Found(string source) => Lines(ExpressionParser.Parse(source), source, isWhole: false);

    private Term Lines(Expression expression, string source, bool isWhole)
    {
        _distributed = 0;
        if (!expression.HasAnchor)
        {
            var term = Plain(expression);
            return isWhole ? term : _store.Concat(characters.AnyText, term, characters.AnyText);
        }
        return _store.Either([.. Distribute(expression).Select(line => Line(line, source, isWhole))]);
    }

    // Right to left, since what a look demands reaches to the end of the text.
    private Term Line(List<Expression> parts, string source, bool isWhole)
    {
        var first = 0;
        while (first < parts.Count && parts[first] is Expression.Anchor { IsEnd: false })
            first++;
        var last = parts.Count;
        while (last > first && parts[last - 1] is Expression.Anchor { IsEnd: true })
            last--;
        var term = isWhole || last < parts.Count ? _store.Empty : characters.AnyText;
        for (var i = last - 1; i >= first; i--)
        {
            switch (parts[i])
            {
                case Expression.Anchor:
                    throw new ConstraintException("", "pattern", $"'{source}' has an anchor in its middle, which is not supported");
                case Expression.Look look:
                    var demanded = _store.Either(
                        [.. Distribute(look.Part).Select(line => Line([new Expression.Anchor(false), .. line], source, false))]);
                    term = _store.Both(term, look.IsNegative ? _store.Not(demanded) : demanded);
                    break;
                default:
                    term = _store.Concat(Plain(parts[i]), term);
                    break;
            }
        }
        return isWhole || first > 0 ? term : _store.Concat(characters.AnyText, term);
    }

    // Alternatives with anchors in them become alternatives of the whole, so that anchors stand at the ends.
    private List<List<Expression>> Distribute(Expression expression)
    {
        switch (expression)
        {
            case Expression.Choice choice when choice.HasAnchor:
                return [.. choice.Options.SelectMany(Distribute)];
            case Expression.Sequence sequence when sequence.HasAnchor:
                List<List<Expression>> lines = [[]];
                foreach (var part in sequence.Parts)
                {
                    var options = Distribute(part);
                    _distributed += lines.Count * options.Count;
                    if (_distributed > MaxDistributed)
                        throw new ConstraintException("", "pattern", "too many alternatives with anchors");
                    lines = [.. lines.SelectMany(line => options.Select(option => (List<Expression>)[.. line, .. option]))];
                }
                return lines;
            case Expression.Repeated repeated when repeated.HasAnchor:
                if (repeated is { Min: <= 1, Max: 1 })
                    return [.. Distribute(repeated.Part), .. repeated.Min == 0 ? (List<List<Expression>>)[[]] : []];
                throw new ConstraintException("", "pattern", "an anchor or look-ahead inside a repetition is not supported");
            default:
                return [[expression]];
        }
    }

    private Term Plain(Expression expression) => expression switch
    {
        Expression.Class one => characters.Of(one.Set),
        Expression.Sequence sequence =>
            sequence.Parts.Reverse<Expression>().Aggregate(_store.Empty, (tail, part) => _store.Concat(Plain(part), tail)),
        Expression.Choice choice => _store.Either([.. choice.Options.Select(Plain)]),
        Expression.Repeated repeated => _store.Repeat(Plain(repeated.Part), repeated.Min, repeated.Max),
        _ => throw new InvalidOperationException($"{expression} is not plain."),
    };
}
