namespace R1Serverless.Models.Families;

/// <summary>Phi-3, Phi-3.5, Phi-4 and Phi-4-mini.</summary>
internal static class Phi3
{
    public static DecoderFamily Family { get; } = new()
    {
        ModelType = "phi3",
        RmsNormEpsilon = 1e-5,
        Biases = BiasRule.Never,
        Windows = WindowRule.All,
        RotatesPartly = true,
        FormerYarn = "longrope",
        PacksProjections = true,
    };
}
