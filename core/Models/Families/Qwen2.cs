namespace R1Serverless.Models.Families;

/// <summary>Qwen2, Qwen2.5, QwQ, DeepSeek-R1-Distill-Qwen.</summary>
internal static class Qwen2
{
    public static DecoderFamily Family { get; } = new()
    {
        ModelType = "qwen2",
        Biases = BiasRule.QueryKeyValue,
        Windows = WindowRule.FromMaxWindowLayers,
        Window = 4096,
        WindowsNeedSwitch = true,
        ReadsLayerTypes = true,
    };
}
