using R1Serverless.Models;

namespace R1Serverless.ModelBuilder.Graphs;

/// <summary>The cosines and sines [context, rotated channels / 2] that GroupQueryAttention rotates by, rounded to float32 where PyTorch's models
/// round.</summary>
internal static class RotaryCache
{
    /// <param name="config">The model's.</param>
    /// <param name="isLocal">For the layers with a window, where those have a base of their own: it is never scaled.</param>
    public static (float[] Cosines, float[] Sines) Compute(ModelConfig config, bool isLocal = false)
    {
        var frequencies = Frequencies(config, isLocal);
        var factor = isLocal ? 1 : config.RopeScaling?.AttentionFactor ?? 1;
        var (cosines, sines) = (new float[(long)config.ContextLength * frequencies.Length],
            new float[(long)config.ContextLength * frequencies.Length]);
        for (var position = 0; position < config.ContextLength; position++)
        {
            for (var i = 0; i < frequencies.Length; i++)
            {
                var (sine, cosine) = Math.SinCos(position * frequencies[i]);
                (cosines[(position * frequencies.Length) + i], sines[(position * frequencies.Length) + i])
                    = ((float)(cosine * factor), (float)(sine * factor));
            }
        }

        return (cosines, sines);
    }

    /// <summary>In radians per token, with the config's scaling.</summary>
    private static float[] Frequencies(ModelConfig config, bool isLocal)
    {
        var frequencies = new float[config.RotarySize / 2];
        var theta = isLocal ? config.LocalRopeTheta ?? config.RopeTheta : config.RopeTheta;
        for (var i = 0; i < frequencies.Length; i++)
        {
            var plain = 1 / (float)Math.Pow(theta, 2f * i / config.RotarySize);
            frequencies[i] = (isLocal ? null : config.RopeScaling) switch
            {
                RopeScaling.Linear linear => (float)(plain / linear.Factor),
                RopeScaling.Llama3 llama => Stretch(plain, llama),
                RopeScaling.Yarn yarn => Stretch(plain, i, yarn, config),
                RopeScaling.LongRope longRope => (float)(plain / longRope.Factors[i]),
                _ => plain,
            };
        }

        return frequencies;
    }

    private static float Stretch(float frequency, RopeScaling.Llama3 scaling)
    {
        var wavelength = 2 * Math.PI / frequency;
        if (wavelength > scaling.OriginalContext / scaling.LowFrequency)
            return (float)(frequency / scaling.Factor);

        if (wavelength < scaling.OriginalContext / scaling.HighFrequency)
            return frequency;

        var kept = ((scaling.OriginalContext / wavelength) - scaling.LowFrequency) / (scaling.HighFrequency - scaling.LowFrequency);
        return (float)(((1 - kept) * frequency / scaling.Factor) + (kept * frequency));
    }

    /// <summary>Between the pairs that turn as often as the betas say in the original context, from kept to divided in even steps.</summary>
    private static float Stretch(float frequency, int pair, RopeScaling.Yarn scaling, ModelConfig config)
    {
        double PairThatTurns(double times) =>
            config.RotarySize * Math.Log(scaling.OriginalContext / (times * 2 * Math.PI)) / (2 * Math.Log(config.RopeTheta));
        var (first, last) = (PairThatTurns(scaling.BetaFast), PairThatTurns(scaling.BetaSlow));
        if (scaling.Truncates) (first, last) = (Math.Floor(first), Math.Ceiling(last));
        (first, last) = (Math.Max(first, 0), Math.Min(last, config.RotarySize - 1));
        // Transformers' own way around a division by zero.
        if (first == last) last += 0.001;
        var divided = Math.Clamp((pair - first) / (last - first), 0, 1);
        return (float)((frequency / scaling.Factor * divided) + (frequency * (1 - divided)));
    }
}
