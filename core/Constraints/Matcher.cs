using R1Serverless.Constraints.Automata;

namespace R1Serverless.Constraints;

/// <summary>One sequence's place in a constraint. Not safe for several threads; a copy is cheap.</summary>
public sealed class Matcher
{
    private const int MostForced = 4_096;

    private readonly CompiledGrammar _grammar;
    private Term _state;

    internal Matcher(CompiledGrammar grammar, Term state) => (_grammar, _state) = (grammar, state);

    /// <summary>Whether the text may end here: the end tokens are allowed, which <see cref="Mask"/> leaves out.</summary>
    public bool IsComplete => _state.IsNullable;

    /// <summary>The tokens that may follow, one bit each by id; shared by all sequences in this state, so never written to.</summary>
    public ReadOnlySpan<uint> Mask() => _grammar.Mask(_state);

    /// <summary>Takes a token; false, and no change, where it is not allowed.</summary>
    public bool Accept(int token) => Accept(_grammar.Trie.Bytes(token)) && _grammar.Trie.Bytes(token).Length > 0;

    /// <summary>Takes a text's bytes; false, and no change, where they are not allowed.</summary>
    public bool Accept(ReadOnlySpan<byte> text)
    {
        if (_grammar.After(_state, text) is not { } next)
            return false;
        _state = next;
        return true;
    }

    /// <summary>The bytes that must follow whatever is sampled; empty where there is a choice or the text may end.</summary>
    public byte[] ForcedBytes() => _grammar.Forced(_state, MostForced);

    /// <summary>A matcher at the same place, for a preempted sequence or another choice.</summary>
    public Matcher Copy() => new(_grammar, _state);
}
