namespace R1Serverless.Constraints;

/// <summary>What a constraint may take.</summary>
public sealed record CompileLimits
{
    /// <summary>The longest source, in characters.</summary>
    public int MaxLength { get; init; } = 1_000_000;

    /// <summary>How many states may be made, at compilation and afterwards together.</summary>
    public int MaxStates { get; init; } = 400_000;
}
