namespace R1Serverless.Constraints.Schemas;

/// <summary>The white space that JSON answers may have. Bounded always: a model can't idle in it.</summary>
public enum Whitespace
{
    /// <summary>One space, or a line break and its indentation, wherever JSON allows white space; or none.</summary>
    Flexible,

    /// <summary>None.</summary>
    Compact,

    /// <summary>One space after each comma and colon.</summary>
    Spaced,
}
