namespace R1Serverless.Constraints.Automata;

/// <summary>A constraint that can't be honoured: malformed, contradictory, unsupported or too large.</summary>
/// <param name="path">Where in the source: a JSON pointer of a schema, or a position in an expression or grammar; empty for the whole.</param>
/// <param name="keyword">The keyword or construct that is refused.</param>
/// <param name="reason">What is wrong and what is expected.</param>
public sealed class ConstraintException(string path, string keyword, string reason)
    : Exception(path.Length == 0 ? $"{keyword}: {reason}" : $"{path}: {keyword}: {reason}")
{
    /// <summary>Where in the source: a JSON pointer of a schema, or a position in an expression or grammar; empty for the whole.</summary>
    public string Path { get; } = path;

    /// <summary>The keyword or construct that is refused.</summary>
    public string Keyword { get; } = keyword;
}
