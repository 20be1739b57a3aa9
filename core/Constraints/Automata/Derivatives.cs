using System.Numerics;
using System.Runtime.CompilerServices;

namespace R1Serverless.Constraints.Automata;

/// <summary>The automaton over terms: after a byte, a term becomes the term of what may still follow (Brzozowski's derivative).</summary>
internal sealed class Derivatives(TermStore store)
{
    private const int PossibleSearch = 3_000, MostApart = 8;

    /// <summary>What may follow after a byte; <see cref="TermStore.None"/> where it is not allowed.</summary>
    public Term Step(Term term, byte value)
    {
        var table = term.Table ?? TableOf(term);
        var index = table[value];
        return index == 0 ? store.None : term.Moves![index - 1].Target;
    }

    /// <summary>Whether a text belongs to a term.</summary>
    public bool Matches(Term term, ReadOnlySpan<byte> text)
    {
        foreach (var value in text)
        {
            term = Step(term, value);
            if (term == store.None)
                return false;
        }
        return term.IsNullable;
    }

    /// <summary>The disjoint classes of bytes that may follow, each with what is left.</summary>
    public Move[] Moves(Term term)
    {
        if (term.Moves is { } known)
            return known;
        RuntimeHelpers.EnsureSufficientExecutionStack();
        if (term.IsOpen)
            throw new ConstraintException("", "recursion", $"rule '{term.Name}' begins with itself; write it so that something stands before");
        term.IsOpen = true;
        try
        {
            return term.Moves = Compute(term);
        }
        finally
        {
            term.IsOpen = false;
        }
    }

    /// <summary>Whether some string belongs to a term: a search of its states with a bound, past which it is taken for possible.</summary>
    public bool IsPossible(Term term)
    {
        while (term.Kind == TermKind.Concat)
        {
            if (term.IsPossible == false)
                return false;
            if (!IsPossible(term.Left!))
            {
                term.IsPossible = false;
                return false;
            }
            term = term.Right!;
        }
        return term.IsPossible ??= term.Kind switch
        {
            TermKind.Either => term.Items.Any(IsPossible),
            TermKind.Both => term.IsNullable || Search(term),
            TermKind.Repeat => term.Min == 0 || IsPossible(term.Left!),
            _ => true,
        };
    }

    private byte[] TableOf(Term term)
    {
        var moves = Moves(term);
        var table = new byte[256];
        for (var i = 0; i < moves.Length; i++)
        {
            if (!IsPossible(moves[i].Target))
                continue;
            Fill(table, 0, moves[i].Bytes.A, i);
            Fill(table, 64, moves[i].Bytes.B, i);
            Fill(table, 128, moves[i].Bytes.C, i);
            Fill(table, 192, moves[i].Bytes.D, i);
        }
        return term.Table = table;
    }

    private static void Fill(byte[] table, int start, ulong bits, int move)
    {
        for (; bits != 0; bits &= bits - 1)
            table[start + BitOperations.TrailingZeroCount(bits)] = (byte)(move + 1);
    }

    private Move[] Compute(Term term)
    {
        switch (term.Kind)
        {
            case TermKind.Bytes:
                return [new Move(term.Set, store.Empty)];
            case TermKind.Everything:
                return [new Move(~default(ByteSet), store.Everything)];
            case TermKind.Concat:
                var first = After(Moves(term.Left!), term.Right!);
                return term.Left!.IsNullable ? Union([first, Moves(term.Right!)]) : first;
            case TermKind.Either:
                return Union([.. term.Items.Select(Moves)]);
            case TermKind.Both:
                return term.Items.Skip(1).Aggregate(Moves(term.Items[0]), (moves, item) => Intersection(moves, Moves(item)));
            case TermKind.Not:
                var rest = ~default(ByteSet);
                var negated = new List<Move>();
                foreach (var move in Moves(term.Left!))
                {
                    rest &= ~move.Bytes;
                    if (store.Not(move.Target) is var target && target != store.None)
                        negated.Add(new Move(move.Bytes, target));
                }
                if (!rest.IsEmpty)
                    negated.Add(new Move(rest, store.Everything));
                return [.. negated];
            case TermKind.Repeat:
                var min = term.Left!.IsNullable ? 0 : Math.Max(0, term.Min - 1);
                return After(Moves(term.Left), store.Repeat(term.Left, min, term.Max == int.MaxValue ? int.MaxValue : term.Max - 1));
            case TermKind.Rule:
                return Moves(term.Body ?? throw new ConstraintException(term.Name!, "recursion", "what it allows depends on itself"));
            default:
                return [];
        }
    }

    private Move[] After(Move[] moves, Term right)
    {
        if (right == store.Empty)
            return moves;
        var result = new Move[moves.Length];
        for (var i = 0; i < moves.Length; i++)
            result[i] = moves[i] with { Target = store.Concat(moves[i].Target, right) };
        return result;
    }

    private Move[] Union(List<Move[]> sides)
    {
        if (sides.Count == 1)
            return sides[0];
        if (Disjoint(sides) is { } apart)
            return apart;
        var targets = new List<Term>?[256];
        foreach (var move in sides.SelectMany(side => side))
        {
            for (var value = move.Bytes.First; ; value++)
            {
                if (move.Bytes.Has(value))
                    (targets[value] ??= []).Add(move.Target);
                if (value == 255)
                    break;
            }
        }
        var classes = new Dictionary<Term, ByteSet>(ReferenceEqualityComparer.Instance);
        List<Term>? last = null;
        Term? joined = null;
        for (var value = 0; value < 256; value++)
        {
            if (targets[value] is not { } list)
                continue;
            if (last is null || !list.SequenceEqual(last))
                joined = store.Either(list);
            last = list;
            if (joined != store.None)
                classes[joined!] = classes.GetValueOrDefault(joined!).With(value);
        }
        return [.. classes.Select(one => new Move(one.Value, one.Key))];
    }

    // Mostly each byte has one move; moves to one target are joined all the same.
    private static Move[]? Disjoint(List<Move[]> sides)
    {
        if (sides.Count > MostApart)
            return null;
        var seen = default(ByteSet);
        var result = new List<Move>();
        foreach (var side in sides)
        {
            foreach (var move in side)
            {
                if (!(seen & move.Bytes).IsEmpty)
                    return null;
                seen |= move.Bytes;
                var same = result.FindIndex(one => one.Target == move.Target);
                if (same < 0)
                    result.Add(move);
                else
                    result[same] = move with { Bytes = move.Bytes | result[same].Bytes };
            }
        }
        return [.. result];
    }

    private Move[] Intersection(Move[] left, Move[] right)
    {
        var classes = new Dictionary<Term, ByteSet>(ReferenceEqualityComparer.Instance);
        foreach (var x in left)
        {
            foreach (var y in right)
            {
                var bytes = x.Bytes & y.Bytes;
                if (bytes.IsEmpty)
                    continue;
                var target = store.Both(x.Target, y.Target);
                if (target != store.None)
                    classes[target] = classes.GetValueOrDefault(target) | bytes;
            }
        }
        return [.. classes.Select(one => new Move(one.Value, one.Key))];
    }

    // Depth first: a string is mostly found at once. Each state on the way is possible too then, but only the end's is noted.
    private bool Search(Term start)
    {
        var seen = new HashSet<int> { start.Id };
        var open = new Stack<Term>();
        open.Push(start);
        while (open.TryPop(out var term))
        {
            if (term.IsNullable || term.IsPossible == true || seen.Count > PossibleSearch)
                return true;
            if (term.IsPossible == false)
                continue;
            foreach (var move in Moves(term))
            {
                if (move.Target.IsNullable)
                    return true;
                if (seen.Add(move.Target.Id))
                    open.Push(move.Target);
            }
        }
        return false;
    }
}
