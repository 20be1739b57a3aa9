namespace R1Serverless.Models.Families;

/// <summary>The models of Gemma 3 that read text alone.</summary>
internal static class Gemma3
{
    public static DecoderFamily Family { get; } = new()
    {
        ModelType = "gemma3_text",
        Activation = "gelu_pytorch_tanh",
        RopeTheta = 1_000_000,
        LocalRopeTheta = 10_000,
        HeadSize = 256,
        TiedEmbeddings = true,
        Windows = WindowRule.AllButEachNth,
        Window = 4096,
        ReadsLayerTypes = true,
        ScalesByQueryScalar = true,
        NormsQueriesAndKeys = true,
        NormsOutputs = true,
        NormsAroundOne = true,
        ScalesEmbedding = true,
        OverflowsFloat16 = true,
    };
}
