using R1Serverless.Models;

namespace R1Serverless.Building;

/// <summary>The cosines and sines [context, head_dim / 2] that GroupQueryAttention rotates by, rounded to float32 where PyTorch's models round.</summary>
internal static class RotaryCache
{
    /// <summary>The frequencies in radians per token, with the config's scaling.</summary>
    public static float[] Frequencies(ModelConfig config)
    {
        var frequencies = new float[config.HeadSize / 2];
        for (var i = 0; i < frequencies.Length; i++)
        {
            var plain = 1 / (float)Math.Pow(config.RopeTheta, 2f * i / config.HeadSize);
            frequencies[i] = config.RopeScaling switch
            {
                RopeScaling.Linear linear => (float)(plain / linear.Factor),
                RopeScaling.Llama3 llama => Stretch(plain, llama),
                _ => plain,
            };
        }

        return frequencies;
    }

    public static (float[] Cosines, float[] Sines) Compute(ModelConfig config)
    {
        var frequencies = Frequencies(config);
        var (cosines, sines) = (new float[(long)config.ContextLength * frequencies.Length], new float[(long)config.ContextLength * frequencies.Length]);
        for (var position = 0; position < config.ContextLength; position++)
        {
            for (var i = 0; i < frequencies.Length; i++)
            {
                var (sine, cosine) = Math.SinCos(position * frequencies[i]);
                (cosines[(position * frequencies.Length) + i], sines[(position * frequencies.Length) + i]) = ((float)cosine, (float)sine);
            }
        }

        return (cosines, sines);
    }

    private static float Stretch(float frequency, RopeScaling.Llama3 scaling)
    {
        var wavelength = 2 * Math.PI / frequency;
        if (wavelength > scaling.OriginalContext / scaling.LowFrequency)
        {
            return (float)(frequency / scaling.Factor);
        }

        if (wavelength < scaling.OriginalContext / scaling.HighFrequency)
        {
            return frequency;
        }

        var kept = ((scaling.OriginalContext / wavelength) - scaling.LowFrequency) / (scaling.HighFrequency - scaling.LowFrequency);
        return (float)(((1 - kept) * frequency / scaling.Factor) + (kept * frequency));
    }
}
