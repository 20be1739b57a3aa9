namespace R1Serverless.Engine.Sampling;

/// <summary>The samplers' working memory. One engine thread owns it and lends it for the length of one call, so no token allocates.</summary>
internal sealed class SamplingScratch(int vocabularySize)
{
    /// <summary>A weight per token of the vocabulary, relative to the likeliest one's 1.</summary>
    public float[] Weights { get; } = new float[vocabularySize];

    /// <summary>The model's logits as they were before bias and penalties.</summary>
    public float[] Raw { get; } = new float[vocabularySize];

    /// <summary>Ranks (see <see cref="Rank"/>) of the tokens that are still possible, in the order of their ids.</summary>
    public ulong[] Candidates { get; } = new ulong[vocabularySize];

    /// <summary>Ranks that a selection may shuffle.</summary>
    public ulong[] Selection { get; } = new ulong[vocabularySize];
}
