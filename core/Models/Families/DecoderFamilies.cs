namespace R1Serverless.Models.Families;

/// <summary>The families that `r1 model build` knows.</summary>
public static class DecoderFamilies
{
    /// <summary>What those who have a checkpoint of another kind can do.</summary>
    private static readonly Dictionary<string, string> Advice = new(StringComparer.Ordinal)
    {
        ["qwen3_moe"] = "a mixture of experts is not built: take a dense model of the family, such as Qwen3-8B",
        ["qwen2_moe"] = "a mixture of experts is not built: take a dense model of the family, such as Qwen2.5-7B",
        ["mixtral"] = "a mixture of experts is not built: take a dense model, such as Mistral-7B",
        ["phimoe"] = "a mixture of experts is not built: take a dense model, such as Phi-4",
        ["deepseek_v2"] = "a mixture of experts with latent attention is not built: take a distilled model, such as DeepSeek-R1-Distill-Qwen-7B",
        ["deepseek_v3"] = "a mixture of experts with latent attention is not built: take a distilled model, such as DeepSeek-R1-Distill-Qwen-7B",
        ["gemma3"] = "models of text and images are not built: take one of text alone (gemma3_text), such as gemma-3-1b-it",
        ["mistral3"] = "models of text and images are not built: take one of text alone (mistral)",
        ["phi4mm"] = "models of text, images and sound are not built: take one of text alone (phi3), such as Phi-4-mini-instruct",
    };

    public static IReadOnlyList<DecoderFamily> All { get; } =
        [Llama.Family, Qwen2.Family, Qwen3.Family, Mistral.Family, Phi3.Family, SmolLm3.Family, Gemma3.Family];

    public static DecoderFamily? Find(string modelType) => All.FirstOrDefault(family => family.ModelType == modelType);

    /// <summary>Behind "the field model_type": why there is no such family, and what there is.</summary>
    public static string Refusal(string modelType) =>
        $"is '{modelType}', but only {string.Join(", ", All.Select(family => family.ModelType))} are supported"
        + (Advice.TryGetValue(modelType, out var advice) ? $"; {advice}" : "");
}
