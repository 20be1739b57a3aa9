namespace R1Serverless.Models.Families;

/// <summary>Mistral 7B, Nemo, Small and what was made from them.</summary>
internal static class Mistral
{
    public static DecoderFamily Family { get; } = new()
    {
        ModelType = "mistral",
        Biases = BiasRule.Never,
        Windows = WindowRule.All,
        Window = 4096,
    };
}
