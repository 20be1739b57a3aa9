namespace R1Serverless.Access;

/// <summary>What one key may do at most, in each gateway process. Null means no limit of the key's own.</summary>
/// <param name="MaxConcurrent">Requests that wait and run while their clients wait, from 1.</param>
/// <param name="MaxQueued">Requests that wait without their clients, from 1.</param>
/// <param name="RequestsPerMinute">Calls that make work, from 1.</param>
/// <param name="TokensPerMinute">Tokens of prompts and answers, from 1.</param>
internal sealed record KeyLimits(int? MaxConcurrent = null, int? MaxQueued = null, int? RequestsPerMinute = null, int? TokensPerMinute = null)
{
    /// <summary>The largest number that any of them may be.</summary>
    public const int Largest = 1_000_000_000;

    public static KeyLimits None { get; } = new();
}
