using R1Serverless.Constraints.Expressions;

namespace R1Serverless.Constraints.Grammars;

/// <summary>A parsed piece of a grammar.</summary>
internal abstract record GrammarNode
{
    public sealed record Text(string Value) : GrammarNode;

    public sealed record Class(CodePoints Set) : GrammarNode;

    public sealed record Name(string Rule, int Line) : GrammarNode;

    public sealed record Sequence(List<GrammarNode> Parts) : GrammarNode;

    public sealed record Choice(List<GrammarNode> Options) : GrammarNode;

    public sealed record Repeated(GrammarNode Part, int Min, int Max) : GrammarNode;
}
