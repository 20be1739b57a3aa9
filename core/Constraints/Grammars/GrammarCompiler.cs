using R1Serverless.Constraints.Automata;
using R1Serverless.Constraints.Expressions;

namespace R1Serverless.Constraints.Grammars;

/// <summary>GBNF → term. Rules may call themselves, but not before anything else (left recursion is refused).</summary>
internal sealed class GrammarCompiler(Characters characters)
{
    private const string Root = "root";

    private readonly TermStore _store = characters.Store;
    private readonly Dictionary<string, Term> _rules = new(StringComparer.Ordinal);

    public Term Compile(string source)
    {
        var nodes = GrammarParser.Parse(source);
        if (!nodes.ContainsKey(Root))
            throw new ConstraintException("", "grammar", "expected a rule named 'root'");
        var nullable = Nullable(nodes);
        foreach (var name in nodes.Keys)
            _rules[name] = _store.Rule(name, nullable.Contains(name));
        foreach (var (name, node) in nodes)
            _rules[name].Body = Term(node);
        if (!new Productivity().Holds(_rules[Root]))
            throw new ConstraintException("", "grammar", "no finite text satisfies it");
        return _rules[Root];
    }

    private static HashSet<string> Nullable(Dictionary<string, GrammarNode> nodes)
    {
        var known = new HashSet<string>(StringComparer.Ordinal);
        for (var count = -1; count != known.Count;)
        {
            count = known.Count;
            known.UnionWith(nodes.Where(one => Is(one.Value)).Select(one => one.Key));
        }
        return known;

        bool Is(GrammarNode node) => node switch
        {
            GrammarNode.Text text => text.Value.Length == 0,
            GrammarNode.Name name => known.Contains(name.Rule),
            GrammarNode.Sequence sequence => sequence.Parts.TrueForAll(Is),
            GrammarNode.Choice choice => choice.Options.Exists(Is),
            GrammarNode.Repeated repeated => repeated.Min == 0 || Is(repeated.Part),
            _ => false,
        };
    }

    private Term Term(GrammarNode node) => node switch
    {
        GrammarNode.Text text => _store.Text(text.Value),
        GrammarNode.Class one => characters.Of(one.Set),
        GrammarNode.Name name => _rules.GetValueOrDefault(name.Rule)
            ?? throw new ConstraintException($"line {name.Line}", "grammar", $"there is no rule named '{name.Rule}'"),
        GrammarNode.Sequence sequence =>
            sequence.Parts.Reverse<GrammarNode>().Aggregate(_store.Empty, (tail, part) => _store.Concat(Term(part), tail)),
        GrammarNode.Choice choice => _store.Either([.. choice.Options.Select(Term)]),
        GrammarNode.Repeated repeated => _store.Repeat(Term(repeated.Part), repeated.Min, repeated.Max),
        _ => throw new InvalidOperationException($"{node} has no term."),
    };
}
