using System.Text;

namespace R1Serverless.Constraints.Automata;

/// <summary>Makes terms, each once, in a normal form that keeps the number of states small. Not safe for several threads.</summary>
/// <param name="maxTerms">How many terms may be made before <see cref="ConstraintException"/>.</param>
internal sealed class TermStore(int maxTerms)
{
    private readonly HashSet<Term> _terms = new(TermShape.Instance);
    private readonly Dictionary<(int, int), Term> _both = [];
    private const int MaxWork = 1_500_000;

    private int _count = 3, _forgotten, _work;

    public Term None { get; } = new() { Kind = TermKind.None, Id = 0, IsPossible = false };

    public Term Empty { get; } = new() { Kind = TermKind.Empty, Id = 1, IsNullable = true, IsPossible = true };

    public Term Everything { get; } = new() { Kind = TermKind.Everything, Id = 2, IsNullable = true, IsPossible = true };

    public int Count => _count;

    /// <summary>Whether so many terms were made that what is cached should be forgotten.</summary>
    public bool IsCrowded => _count - _forgotten > maxTerms / 2;

    /// <summary>
    /// Lets go of all states but those still held: what was made once may be made again. Terms held stay right, since nothing depends on
    /// an equal term being the same object but the size of the automaton.
    /// </summary>
    public void Forget()
    {
        foreach (var term in _terms)
            (term.Moves, term.Table, term.MaskSlot) = (null, null, null);
        _terms.Clear();
        _both.Clear();
        _forgotten = _count;
    }

    /// <summary>Any character of a text: an alternative of it with no bound absorbs its neighbours. Null where there is none.</summary>
    public Term? AnyCharacter { get; set; }

    public Term Bytes(ByteSet set) =>
        set.IsEmpty ? None : Intern(new Term { Kind = TermKind.Bytes, Set = set, IsPossible = true });

    public Term Text(string text) => Text(Encoding.UTF8.GetBytes(text));

    public Term Text(ReadOnlySpan<byte> bytes)
    {
        var result = Empty;
        for (var i = bytes.Length - 1; i >= 0; i--)
            result = Concat(Bytes(ByteSet.Of(bytes[i])), result);
        return result;
    }

    public Term Concat(params ReadOnlySpan<Term> parts)
    {
        var result = parts[^1];
        for (var i = parts.Length - 2; i >= 0; i--)
            result = Concat(parts[i], result);
        return result;
    }

    public Term Concat(Term left, Term right)
    {
        if (left == None || right == None)
            return None;
        if (left == Empty)
            return right;
        if (right == Empty)
            return left;
        if (left.Kind == TermKind.Concat)
            return Concat(left.Left!, Concat(left.Right!, right));
        return Intern(new Term { Kind = TermKind.Concat, Left = left, Right = right, IsNullable = left.IsNullable && right.IsNullable });
    }

    public Term Optional(Term term) => Either(Empty, term);

    public Term Either(params IReadOnlyList<Term> items)
    {
        if (items.Count == 1)
            return items[0];
        var flat = new List<Term>();
        var bytes = default(ByteSet);
        foreach (var item in items)
        {
            if (item.Kind == TermKind.Either)
                flat.AddRange(item.Items);
            else if (item != None)
                flat.Add(item);
        }
        foreach (var one in flat)
        {
            if (one == Everything)
                return Everything;
            if (one.Kind == TermKind.Bytes)
                bytes |= one.Set;
            // Any text absorbs what is a text itself; the two never stand beside something else (a text is closed by a concat).
            if (one.Kind == TermKind.Repeat && one.Left == AnyCharacter && one.Min == 0 && one.Max == int.MaxValue)
                return one;
        }
        if (!bytes.IsEmpty)
        {
            flat.RemoveAll(one => one.Kind == TermKind.Bytes);
            flat.Add(Bytes(bytes));
        }
        flat.Sort((x, y) => x.Id.CompareTo(y.Id));
        var count = 0;
        for (var i = 0; i < flat.Count; i++)
        {
            var one = flat[i];
            if (count == 0 || flat[count - 1] != one)
                flat[count++] = one;
        }
        flat.RemoveRange(count, flat.Count - count);
        var isNullable = flat.Exists(one => one.IsNullable);
        if (isNullable && flat.Count > 1 && flat.Exists(one => one != Empty && one.IsNullable))
            flat.Remove(Empty);
        return flat.Count switch
        {
            0 => None,
            1 => flat[0],
            _ => Intern(new Term { Kind = TermKind.Either, Items = [.. flat], IsNullable = isNullable }),
        };
    }

    public Term Both(Term left, Term right)
    {
        if (left == None || right == None)
            return None;
        if (left == Everything || left == right)
            return right;
        if (right == Everything)
            return left;
        if (left.Id > right.Id)
            (left, right) = (right, left);
        if (_both.TryGetValue((left.Id, right.Id), out var known))
            return known;
        var result = NewBoth(left, right);
        _both[(left.Id, right.Id)] = result;
        return result;
    }

    public Term Not(Term term)
    {
        if (term == None)
            return Everything;
        if (term == Everything)
            return None;
        return term.Kind == TermKind.Not
            ? term.Left!
            : Intern(new Term { Kind = TermKind.Not, Left = term, IsNullable = !term.IsNullable });
    }

    public Term Repeat(Term term, int min, int max)
    {
        if (max == 0 || term == Empty)
            return Empty;
        if (term == None)
            return min == 0 ? Empty : None;
        if (min == 1 && max == 1)
            return term;
        // What may be empty needs no count of its own: (x?){m,n} is x{0,n}, and (x{0,k}){m,n} is x{0,kn}.
        if (term.Kind == TermKind.Either && term.Items.Contains(Empty))
            return Repeat(Either([.. term.Items.Where(one => one != Empty)]), 0, max);
        if (term.Kind == TermKind.Repeat && term.Min == 0)
            return Repeat(term.Left!, 0, (int)Math.Min((long)term.Max * max, int.MaxValue));
        return Intern(new Term
        {
            Kind = TermKind.Repeat, Left = term, Min = min, Max = max, IsNullable = min == 0 || term.IsNullable,
        });
    }

    public Term Star(Term term) => Repeat(term, 0, int.MaxValue);

    /// <summary>A rule whose body follows later.</summary>
    public Term Rule(string name, bool isNullable = false) =>
        Counted(new Term { Kind = TermKind.Rule, Name = name, IsNullable = isNullable });

    private Term NewBoth(Term left, Term right)
    {
        if (left.Kind == TermKind.Empty || right.Kind == TermKind.Empty)
            return left.IsNullable && right.IsNullable ? Empty : None;
        if (left.Kind == TermKind.Bytes && right.Kind == TermKind.Bytes)
            return Bytes(left.Set & right.Set);
        var items = new SortedDictionary<int, Term>();
        foreach (var side in (Term[])[left, right])
        {
            foreach (var one in side.Kind == TermKind.Both ? side.Items : [side])
                items[one.Id] = one;
        }
        return Intern(new Term { Kind = TermKind.Both, Items = [.. items.Values], IsNullable = items.Values.All(one => one.IsNullable) });
    }

    /// <summary>Begins a compilation, a mask or a step: each has a bound on its work of its own.</summary>
    public void Begin() => _work = 0;

    private Term Intern(Term term)
    {
        _work += 1 + term.Items.Length;
        if (_work > MaxWork)
            throw new ConstraintException("", "size", "the constraint takes too much work; make it smaller");
        if (_terms.TryGetValue(term, out var known))
            return known;
        Counted(term);
        _terms.Add(term);
        return term;
    }

    private Term Counted(Term term)
    {
        if (_count - _forgotten >= maxTerms)
            throw new ConstraintException("", "size", $"the constraint needs more than {maxTerms} states; make it smaller");
        term.Id = _count++;
        return term;
    }
}
