namespace R1Serverless.Models;

/// <summary>The numbers of a decoder that the engine must know, read from the model folder's config.json (Hugging Face's names).</summary>
public sealed record ModelConfig
{
    /// <summary><c>model_type</c>: qwen2 or llama.</summary>
    public required string Architecture { get; init; }

    public required int VocabularySize { get; init; }

    public required int HiddenSize { get; init; }

    public required int IntermediateSize { get; init; }

    public required int Layers { get; init; }

    public required int Heads { get; init; }

    public required int KeyValueHeads { get; init; }

    public required int HeadSize { get; init; }

    /// <summary>Tokens of prompt and completion together: <c>max_position_embeddings</c>.</summary>
    public required int ContextLength { get; init; }

    public required float RmsNormEpsilon { get; init; }

    public required double RopeTheta { get; init; }

    /// <summary>Null for plain rotary embeddings.</summary>
    public RopeScaling? RopeScaling { get; init; }

    /// <summary>The local attention window of each layer in tokens, the token itself included; null for global attention.</summary>
    public required IReadOnlyList<int?> Windows { get; init; }

    public required bool TiedEmbeddings { get; init; }

    /// <summary>Whether the q, k and v projections have a bias (Qwen2: yes, Llama: <c>attention_bias</c>).</summary>
    public required bool AttentionBias { get; init; }

    /// <summary>Whether the attention's output projection has a bias (Llama: <c>attention_bias</c>).</summary>
    public bool AttentionOutputBias { get; init; }

    /// <summary>Reads a config.json.</summary>
    /// <exception cref="InvalidModelException">The file is missing, no JSON, or a field is missing, out of range or asks for what is not supported.</exception>
    public static ModelConfig Load(string path) => ModelConfigReader.Read(path);
}
