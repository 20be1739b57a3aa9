namespace R1Serverless.Models.Families;

/// <summary>SmolLM3.</summary>
internal static class SmolLm3
{
    public static DecoderFamily Family { get; } = new()
    {
        ModelType = "smollm3",
        RopeTheta = 2_000_000,
        TiedEmbeddings = true,
        Windows = WindowRule.WithoutRope,
        WindowsNeedSwitch = true,
        ReadsLayerTypes = true,
        HasLayersWithoutRope = true,
    };
}
