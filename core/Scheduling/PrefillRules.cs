namespace R1Serverless.Scheduling;

/// <summary>
/// How prompts are cut. Chunk borders are fixed positions of the prompt: a border that moved with the load would round
/// differently and give the same prompt two answers.
/// </summary>
public static class PrefillRules
{
    /// <summary>A longer prompt is prefilled alone, this many tokens at a time, between decode steps.</summary>
    public const int ChunkTokens = 512;

    /// <summary>Tokens of one shared prefill, padding included: bounds how long running sequences wait for newcomers.</summary>
    public const int SharedTokens = 2048;

    /// <summary>The tokens of the chunk that starts at <paramref name="start"/>.</summary>
    public static int ChunkLength(int promptLength, int start) => Math.Min(ChunkTokens, promptLength - start);
}
