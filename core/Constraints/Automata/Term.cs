namespace R1Serverless.Constraints.Automata;

/// <summary>What a term is made of.</summary>
internal enum TermKind
{
    None,
    Empty,
    Everything,
    Bytes,
    Concat,
    Either,
    Both,
    Not,
    Repeat,
    Rule,
}

/// <summary>One class of bytes, and what must follow after any of them.</summary>
internal readonly record struct Move(ByteSet Bytes, Term Target);

/// <summary>
/// A language of byte strings, and so also a state of the automaton: what may still follow. Equal terms are one object (see
/// <see cref="TermStore"/>). Nested structure lives in <see cref="TermKind.Concat"/>: its right side is the stack.
/// </summary>
internal sealed class Term
{
    public required TermKind Kind { get; init; }

    public int Id { get; set; }

    /// <summary>The left side of a concat; what is repeated or negated.</summary>
    public Term? Left { get; init; }

    /// <summary>The right side of a concat.</summary>
    public Term? Right { get; init; }

    /// <summary>The members of an alternative or an intersection, by id.</summary>
    public Term[] Items { get; init; } = [];

    /// <summary>The bytes of a class.</summary>
    public ByteSet Set { get; init; }

    /// <summary>Fewest and most repetitions; <see cref="int.MaxValue"/> is no bound.</summary>
    public int Min { get; init; }

    public int Max { get; init; }

    /// <summary>Whether the empty string belongs to it.</summary>
    public bool IsNullable { get; set; }

    /// <summary>A rule's name and its body, which may refer to the rule again.</summary>
    public string? Name { get; init; }

    public Term? Body { get; set; }

    /// <summary>Disjoint classes of bytes and what follows; bytes in no class can't follow. Null before it is asked for.</summary>
    public Move[]? Moves { get; set; }

    /// <summary>Whether some string belongs to it; null where it isn't known yet.</summary>
    public bool? IsPossible { get; set; }

    /// <summary>Set while its moves are computed: a rule that meets itself here is left-recursive.</summary>
    public bool IsOpen { get; set; }

    /// <summary>The moves by byte: an index into <see cref="Moves"/> plus one, zero for none.</summary>
    public byte[]? Table { get; set; }

    /// <summary>The tokens that may follow, cached.</summary>
    public uint[]? MaskSlot;
}
