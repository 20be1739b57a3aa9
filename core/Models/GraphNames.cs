namespace R1Serverless.Models;

/// <summary>What a decoder graph calls its inputs and outputs; %d stands for the layer. The defaults are onnxruntime-genai's and Hugging Face's
/// own.</summary>
public sealed record GraphNames
{
    public static GraphNames Default { get; } = new();

    public string InputIds { get; init; } = "input_ids";

    public string AttentionMask { get; init; } = "attention_mask";

    /// <summary>Bound where the graph has it.</summary>
    public string PositionIds { get; init; } = "position_ids";

    public string PastKeys { get; init; } = "past_key_values.%d.key";

    public string PastValues { get; init; } = "past_key_values.%d.value";

    public string Logits { get; init; } = "logits";

    public string PresentKeys { get; init; } = "present.%d.key";

    public string PresentValues { get; init; } = "present.%d.value";

    /// <summary>A layer's past and present: keys, then values.</summary>
    public IReadOnlyList<(string Past, string Present)> Layer(int layer) =>
        [(Of(PastKeys, layer), Of(PresentKeys, layer)), (Of(PastValues, layer), Of(PresentValues, layer))];

    private static string Of(string template, int layer) => template.Replace("%d", $"{layer}", StringComparison.Ordinal);
}
