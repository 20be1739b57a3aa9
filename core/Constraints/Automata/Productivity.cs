namespace R1Serverless.Constraints.Automata;

/// <summary>Whether every rule that a term reaches has a finite string: a recursion without a base has none.</summary>
internal sealed class Productivity
{
    private readonly Dictionary<Term, bool> _known = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<Term> _rules = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<Term> _productive = new(ReferenceEqualityComparer.Instance);

    public bool Holds(Term term)
    {
        Collect(term);
        var count = -1;
        while (count != _productive.Count)
        {
            count = _productive.Count;
            _known.Clear();
            foreach (var rule in _rules.Where(rule => Has(rule.Body!)))
                _productive.Add(rule);
        }
        return _productive.Count == _rules.Count;
    }

    private void Collect(Term start)
    {
        var open = new Stack<Term>([start]);
        var seen = new HashSet<Term>(ReferenceEqualityComparer.Instance);
        while (open.TryPop(out var term))
        {
            if (!seen.Add(term))
                continue;
            if (term.Kind == TermKind.Rule)
                _rules.Add(term);
            foreach (var next in (Term?[])[term.Left, term.Right, term.Body, .. term.Items])
            {
                if (next is not null)
                    open.Push(next);
            }
        }
    }

    private bool Has(Term term)
    {
        while (term.Kind == TermKind.Concat)
        {
            if (!Has(term.Left!))
                return false;
            term = term.Right!;
        }
        if (_known.TryGetValue(term, out var known))
            return known;
        return _known[term] = term.Kind switch
        {
            TermKind.None => false,
            TermKind.Rule => _productive.Contains(term),
            TermKind.Either => term.Items.Any(Has),
            TermKind.Both => term.Items.All(Has),
            TermKind.Repeat => term.Min == 0 || Has(term.Left!),
            _ => true,
        };
    }
}
