using R1Serverless.Constraints.Automata;
using R1Serverless.Constraints.Tokens;

namespace R1Serverless.Constraints;

/// <summary>
/// A compiled constraint: an automaton whose states are made as they are reached, each with its mask, shared by all sequences. Safe for
/// several threads: a mask may be made by one while another steps.
/// </summary>
public sealed class CompiledGrammar
{
    private readonly Lock _lock = new();
    private readonly TermStore _store;
    private readonly Derivatives _derivatives;
    private readonly MaskBuilder _masks;

    internal CompiledGrammar(Term start, TermStore store, Derivatives derivatives, TokenTrie trie)
    {
        (Start, _store, _derivatives, Trie) = (start, store, derivatives, trie);
        _masks = new MaskBuilder(trie, store, derivatives);
    }

    /// <summary>The vocabulary that it was compiled for.</summary>
    public TokenTrie Trie { get; }

    internal Term Start { get; }

    /// <summary>How many states there are so far.</summary>
    public int States
    {
        get
        {
            lock (_lock)
                return _store.Count;
        }
    }

    /// <summary>A matcher at the beginning of a text.</summary>
    public Matcher Match() => new(this, Start);

    internal uint[] Mask(Term state)
    {
        if (Volatile.Read(ref state.MaskSlot) is { } known)
            return known;
        lock (_lock)
        {
            KeepSmall();
            return state.MaskSlot ??= Guarded(() => _masks.Build(state));
        }
    }

    /// <summary>The state after a text; null where the text is not allowed.</summary>
    internal Term? After(Term state, ReadOnlySpan<byte> text)
    {
        lock (_lock)
        {
            KeepSmall();
            try
            {
                foreach (var value in text)
                {
                    state = _derivatives.Step(state, value);
                    if (state == _store.None)
                        return null;
                }
                return state;
            }
            catch (InsufficientExecutionStackException)
            {
                throw TooDeep();
            }
        }
    }

    /// <summary>The bytes that must follow a state, up to a bound.</summary>
    internal byte[] Forced(Term state, int most)
    {
        var bytes = new List<byte>();
        lock (_lock)
        {
            while (!state.IsNullable && bytes.Count < most && Only(state) is { } move)
            {
                bytes.Add(move.Bytes.First);
                state = move.Target;
            }
        }
        return [.. bytes];
    }

    // Between two steps only: within one, states must keep their moves.
    private void KeepSmall()
    {
        _store.Begin();
        if (_store.IsCrowded)
            _store.Forget();
    }

    private Move? Only(Term state)
    {
        var possible = _derivatives.Moves(state).Where(move => _derivatives.IsPossible(move.Target)).Take(2).ToList();
        return possible is [{ Bytes.Count: 1 } one] ? one : null;
    }

    private static uint[] Guarded(Func<uint[]> build)
    {
        try
        {
            return build();
        }
        catch (InsufficientExecutionStackException)
        {
            throw TooDeep();
        }
    }

    private static ConstraintException TooDeep() => new("", "depth", "the answer nests too deeply");
}
