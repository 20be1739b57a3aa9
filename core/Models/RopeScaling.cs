namespace R1Serverless.Models;

/// <summary>How the rotary frequencies are stretched for contexts beyond the pre-trained one (<c>rope_scaling</c> in config.json).</summary>
public abstract record RopeScaling
{
    private RopeScaling()
    {
    }

    /// <summary>Every frequency divided by <paramref name="Factor"/>.</summary>
    public sealed record Linear(double Factor) : RopeScaling;

    /// <summary>Llama 3: wavelengths beyond <paramref name="OriginalContext"/> / <paramref name="LowFrequency"/> are divided by the factor, those below
    /// <paramref name="OriginalContext"/> / <paramref name="HighFrequency"/> kept, those between interpolated.</summary>
    public sealed record Llama3(double Factor, double LowFrequency, double HighFrequency, int OriginalContext) : RopeScaling;
}
