namespace R1Serverless.Models;

/// <summary>How the rotary frequencies are stretched for contexts beyond the pre-trained one (<c>rope_scaling</c> in config.json).</summary>
public abstract record RopeScaling
{
    private RopeScaling(double attentionFactor = 1) => AttentionFactor = attentionFactor;

    /// <summary>What cosines and sines are multiplied by.</summary>
    public double AttentionFactor { get; }

    /// <summary>Every frequency divided by <paramref name="Factor"/>.</summary>
    public sealed record Linear(double Factor) : RopeScaling;

    /// <summary>Llama 3: wavelengths beyond <paramref name="OriginalContext"/> / <paramref name="LowFrequency"/> are divided by the factor, those
    /// below
    /// <paramref name="OriginalContext"/> / <paramref name="HighFrequency"/> kept, those between interpolated.</summary>
    public sealed record Llama3(double Factor, double LowFrequency, double HighFrequency, int OriginalContext) : RopeScaling;

    /// <summary>YaRN (arXiv 2309.00071): frequencies that turn more than <paramref name="BetaFast"/> times in the original context are kept, those
    /// that turn less than <paramref name="BetaSlow"/> times divided by the factor, those between interpolated by their place.</summary>
    /// <param name="Truncates">Whether the places are rounded outwards to whole channels.</param>
    public sealed record Yarn(double Factor, double BetaFast, double BetaSlow, int OriginalContext, bool Truncates, double AttentionFactor)
        : RopeScaling(AttentionFactor);

    /// <summary>LongRoPE (arXiv 2402.13753): each frequency divided by a factor of its own. Those for texts within the original context, which then
    /// is all that a model serves.</summary>
    /// <param name="Factors">One for each rotated pair of channels.</param>
    public sealed record LongRope(IReadOnlyList<double> Factors, double AttentionFactor) : RopeScaling(AttentionFactor);
}
