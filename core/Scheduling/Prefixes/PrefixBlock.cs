namespace R1Serverless.Scheduling.Prefixes;

/// <summary>A block to fill with a slot's tokens from <paramref name="Start"/> on.</summary>
public readonly record struct PrefixBlock(int Start, int Block);
