namespace R1Serverless.Scheduling;

/// <summary>
/// How prompts are cut. A prompt has the same bits however it is cut, but for a chunk of one token, which another kernel runs (measured for FP32,
/// FP16, INT8, INT4 and INT8 keys and values): there is none, unless it is the whole prompt. Borders are fixed positions of the prompt all the same,
/// so that nothing depends on that where a device rounds otherwise.
/// </summary>
public static class PrefillRules
{
    /// <summary>A longer prompt is prefilled alone, this many tokens at a time, between decode steps.</summary>
    public const int ChunkTokens = 512;

    /// <summary>Tokens of one shared prefill, padding included: bounds how long running sequences wait for newcomers.</summary>
    public const int SharedTokens = 2048;

    /// <summary>The tokens of the chunk that starts at <paramref name="start"/>: up to the next border, and one more where it would be the last
    /// alone.</summary>
    public static int ChunkLength(int promptLength, int start)
    {
        var border = ((start / ChunkTokens) + 1) * ChunkTokens;
        return border + 1 >= promptLength ? promptLength - start : border - start;
    }
}
