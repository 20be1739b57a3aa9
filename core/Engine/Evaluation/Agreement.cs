namespace R1Serverless.Engine.Evaluation;

/// <summary>How far a variant's next tokens are the reference's, given the same tokens before them.</summary>
/// <param name="Tokens">Places that were compared.</param>
/// <param name="Same">Those where both find the same token the likeliest.</param>
/// <param name="Divergence">The next token's distribution's divergence from the reference's, summed over the places, in nats.</param>
public readonly record struct Agreement(int Tokens, int Same, double Divergence)
{
    /// <summary>What a variant has with itself.</summary>
    public static readonly Agreement Full = default;

    /// <summary>0 to 1.</summary>
    public double TokenShare => Tokens == 0 ? 1 : (double)Same / Tokens;

    /// <summary>Nats.</summary>
    public double MeanDivergence => Tokens == 0 ? 0 : Divergence / Tokens;

    internal Agreement Add(bool isSame, double divergence) => new(Tokens + 1, Same + (isSame ? 1 : 0), Divergence + divergence);
}
