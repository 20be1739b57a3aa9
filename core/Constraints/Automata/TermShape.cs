namespace R1Serverless.Constraints.Automata;

/// <summary>Two terms are the same where they are made of the same parts.</summary>
internal sealed class TermShape : IEqualityComparer<Term>
{
    public static readonly TermShape Instance = new();

    public bool Equals(Term? x, Term? y)
    {
        if (x!.Kind != y!.Kind || x.Left != y.Left || x.Right != y.Right || x.Min != y.Min || x.Max != y.Max || x.Set != y.Set
            || x.Kind == TermKind.Rule)
        {
            return x == y;
        }
        return x.Items.AsSpan().SequenceEqual(y.Items);
    }

    public int GetHashCode(Term term)
    {
        var hash = new HashCode();
        hash.Add((int)term.Kind);
        hash.Add(term.Left?.Id ?? -1);
        hash.Add(term.Right?.Id ?? -1);
        hash.Add(term.Min);
        hash.Add(term.Max);
        hash.Add(term.Set);
        foreach (var item in term.Items)
            hash.Add(item.Id);
        return hash.ToHashCode();
    }
}
