namespace R1Serverless.Tests.ModelBuilder.Families;

/// <summary>Rotary frequencies in radians per token, in double precision, from the papers' formulas.</summary>
internal static class NaiveRope
{
    public static double[] Plain(int channels, double theta) =>
        [.. Enumerable.Range(0, channels / 2).Select(i => Math.Pow(theta, -2.0 * i / channels))];

    public static double[] Linear(int channels, double theta, double factor) => [.. Plain(channels, theta).Select(plain => plain / factor)];

    /// <summary>YaRN: the share that is divided grows from 0 to 1 between the channels that turn <paramref name="fast"/> and
    /// <paramref name="slow"/> times in the original context.</summary>
    public static double[] Yarn(int channels, double theta, double factor, int original, double fast = 32, double slow = 1, bool truncates = true)
    {
        // theta^(-2i/d) · original / 2π = turns, solved for i.
        double Channel(double turns) => channels / 2.0 * Math.Log(original / (2 * Math.PI * turns), theta);
        var (low, high) = (Channel(fast), Channel(slow));
        if (truncates) (low, high) = (Math.Floor(low), Math.Ceiling(high));
        (low, high) = (Math.Max(low, 0), Math.Min(high, channels - 1));
        return [.. Plain(channels, theta).Select((plain, i) =>
        {
            var share = Math.Clamp((i - low) / (high - low), 0, 1);
            return (plain * (1 - share)) + (plain / factor * share);
        })];
    }

    public static double[] Long(int channels, double theta, double[] factors) =>
        [.. Plain(channels, theta).Zip(factors, (plain, factor) => plain / factor)];

    /// <summary>Llama 3: by how often a frequency turns in the original context.</summary>
    public static double[] Llama3(int channels, double theta, double factor, double low, double high, int original) =>
        [.. Plain(channels, theta).Select(plain =>
        {
            var share = Math.Clamp(((original * plain / (2 * Math.PI)) - low) / (high - low), 0, 1);
            return (share * plain) + ((1 - share) * plain / factor);
        })];
}
