namespace R1Serverless.Models.Families;

/// <summary>The dense models of Qwen3, DeepSeek-R1-0528-Qwen3-8B.</summary>
internal static class Qwen3
{
    public static DecoderFamily Family { get; } = new()
    {
        ModelType = "qwen3",
        HeadSize = 128,
        Windows = WindowRule.FromMaxWindowLayers,
        Window = 4096,
        WindowsNeedSwitch = true,
        ReadsLayerTypes = true,
        NormsQueriesAndKeys = true,
    };
}
