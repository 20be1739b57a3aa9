using System.Numerics;
using R1Serverless.Constraints.Automata;

namespace R1Serverless.Constraints.Tokens;

/// <summary>Which tokens may follow in a state: a walk of the trie together with the automaton.</summary>
internal sealed class MaskBuilder(TokenTrie trie, TermStore store, Derivatives derivatives)
{
    private readonly Term[] _states = new Term[Math.Max(trie.Plain.MaxDepth, trie.Other.MaxDepth) + 1];

    public uint[] Build(Term state)
    {
        var mask = new uint[trie.Words];
        Walk(trie.Other, state, mask, isPlain: false);
        if (Room(state) is var room && (room >= trie.LongestPlain || IsClosed(state)))
            Or(mask, trie.PlainUpTo(room));
        else
            Walk(trie.Plain, state, mask, isPlain: true);
        return mask;
    }

    // How many characters of any kind may follow at least.
    private int Room(Term state) => state.Kind switch
    {
        TermKind.Repeat => state.Left == store.AnyCharacter ? state.Max : 0,
        TermKind.Concat => Room(state.Left!),
        TermKind.Either => state.Items.Max(Room),
        _ => 0,
    };

    // Whether plain text can go on only as counted characters: what stands behind them is no plain text.
    private bool IsClosed(Term state)
    {
        if (state.Kind != TermKind.Concat || state.Left is not { Kind: TermKind.Repeat } repeat || repeat.Left != store.AnyCharacter)
            return false;
        return Array.TrueForAll(derivatives.Moves(state.Right!), move => move.Bytes == ByteSet.Of('"'));
    }

    private void Walk(TrieBranch branch, Term start, uint[] mask, bool isPlain)
    {
        var (values, depths, ends) = (branch.Values, branch.Depths, branch.Ends);
        _states[0] = start;
        for (var node = 0; node < values.Length;)
        {
            var depth = depths[node];
            var next = derivatives.Step(_states[depth], values[node]);
            if (next == store.None)
            {
                node = ends[node];
                continue;
            }
            if (isPlain && ends[node] > node + 1 && Room(next) >= branch.Below[node])
            {
                var end = ends[node];
                if (branch.Subtree(node, mask.Length) is { } all)
                {
                    Or(mask, all);
                    node = end;
                }
                for (; node < end; node++)
                    branch.Add(node, mask);
                continue;
            }
            branch.Add(node, mask);
            _states[depth + 1] = next;
            node++;
        }
    }

    private static void Or(uint[] mask, uint[] other)
    {
        var at = 0;
        for (; at <= mask.Length - Vector<uint>.Count; at += Vector<uint>.Count)
            (new Vector<uint>(mask, at) | new Vector<uint>(other, at)).CopyTo(mask, at);
        for (; at < mask.Length; at++)
            mask[at] |= other[at];
    }
}
