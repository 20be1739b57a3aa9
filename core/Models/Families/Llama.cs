namespace R1Serverless.Models.Families;

/// <summary>Llama 2 and 3, DeepSeek-R1-Distill-Llama and what was made from them.</summary>
internal static class Llama
{
    public static DecoderFamily Family { get; } = new()
    {
        ModelType = "llama",
    };
}
