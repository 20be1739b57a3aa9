using R1Serverless.Models.Families;

namespace R1Serverless.Models;

/// <summary>The numbers of a decoder that the engine must know, read from the model folder's config.json (Hugging Face's names).</summary>
public sealed record ModelConfig
{
    /// <summary><c>model_type</c>, or what a graph's other builder calls it.</summary>
    public required string Architecture { get; init; }

    /// <summary>What sets it apart; null where another program made the graph.</summary>
    public DecoderFamily? Family { get; init; }

    public required int VocabularySize { get; init; }

    public required int HiddenSize { get; init; }

    public required int IntermediateSize { get; init; }

    public required int Layers { get; init; }

    public required int Heads { get; init; }

    public required int KeyValueHeads { get; init; }

    public required int HeadSize { get; init; }

    /// <summary>Tokens of prompt and completion together: <c>max_position_embeddings</c>, or as far as the rope scaling reaches.</summary>
    public required int ContextLength { get; init; }

    public required float RmsNormEpsilon { get; init; }

    public required double RopeTheta { get; init; }

    /// <summary>Null for plain rotary embeddings.</summary>
    public RopeScaling? RopeScaling { get; init; }

    /// <summary>Of layers with a window; null where they have the others' rotary embeddings.</summary>
    public double? LocalRopeTheta { get; init; }

    /// <summary>The first channels of a head that are rotated: all, or fewer.</summary>
    public int RotarySize { get; init; }

    /// <summary>Which layers have rotary embeddings; null for all.</summary>
    public IReadOnlyList<bool>? Rotates { get; init; }

    /// <summary>Scores are divided by its square root; null for the head's size.</summary>
    public float? ScoreSize { get; init; }

    /// <summary>The local attention window of each layer in tokens, the token itself included; null for global attention.</summary>
    public required IReadOnlyList<int?> Windows { get; init; }

    public required bool TiedEmbeddings { get; init; }

    /// <summary>Whether the q, k and v projections have a bias (Qwen2: yes, Llama: <c>attention_bias</c>).</summary>
    public required bool AttentionBias { get; init; }

    /// <summary>Whether the attention's output projection has a bias (Llama: <c>attention_bias</c>).</summary>
    public bool AttentionOutputBias { get; init; }

    /// <summary>What shares a scale in weights of 8 bits; null where weights are plain numbers.</summary>
    public WeightBlock? WeightBlock { get; init; }

    /// <summary>Reads a config.json.</summary>
    /// <exception cref="InvalidModelException">The file is missing, no JSON, or a field is missing, out of range or asks for what is not
    /// supported.</exception>
    public static ModelConfig Load(string path) => ModelConfigReader.Read(path);
}

/// <summary>Rows and columns of a weight's blocks, each with a scale (<c>weight_block_size</c> of FP8 checkpoints).</summary>
public readonly record struct WeightBlock(int Rows, int Columns);
