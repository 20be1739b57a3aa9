namespace R1Serverless.Constraints.Automata;

/// <summary>Finds rules without a finite string (a recursion without a base), so that the automaton never enters them.</summary>
internal sealed class Productivity
{
    private readonly Dictionary<Term, bool> _known = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<Term> _seen = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<Term> _rules = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<Term> _productive = new(ReferenceEqualityComparer.Instance);

    /// <summary>Whether a term has a finite string; what it reaches and has none is marked as impossible.</summary>
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
        if (_productive.Count < _rules.Count)
        {
            foreach (var one in _seen.Where(one => one.Kind is not (TermKind.None or TermKind.Both)))
                one.IsPossible = Has(one) ? null : false;
        }
        return Has(term);
    }

    private void Collect(Term start)
    {
        var open = new Stack<Term>([start]);
        while (open.TryPop(out var term))
        {
            if (!_seen.Add(term))
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
