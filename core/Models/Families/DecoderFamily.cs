namespace R1Serverless.Models.Families;

/// <summary>
/// What tells a family of decoders from Llama: how its config.json is read, which tensors its checkpoints have and what its layers compute. A new
/// family is a file with one of these, and a line in <see cref="DecoderFamilies"/>. Source of each: its configuration and modelling code in
/// Hugging Face's transformers.
/// </summary>
public sealed record DecoderFamily
{
    /// <summary>config.json's <c>model_type</c>.</summary>
    public required string ModelType { get; init; }

    /// <summary>The only value of <c>hidden_act</c> or <c>hidden_activation</c>, also where neither is given.</summary>
    public string Activation { get; init; } = "silu";

    /// <summary>Where <c>rope_theta</c> isn't given.</summary>
    public double RopeTheta { get; init; } = 10000;

    /// <summary>Rotary base of the layers with a window, where it isn't given; null where they have that of the others.</summary>
    public double? LocalRopeTheta { get; init; }

    /// <summary>Where <c>rms_norm_eps</c> isn't given.</summary>
    public double RmsNormEpsilon { get; init; } = 1e-6;

    /// <summary>Where <c>head_dim</c> isn't given; null for hidden size / heads.</summary>
    public int? HeadSize { get; init; }

    /// <summary>Where <c>tie_word_embeddings</c> isn't given.</summary>
    public bool TiedEmbeddings { get; init; }

    public BiasRule Biases { get; init; } = BiasRule.ByField;

    public WindowRule Windows { get; init; }

    /// <summary>Where <c>sliding_window</c> isn't given, in tokens.</summary>
    public int? Window { get; init; }

    /// <summary>Whether only <c>use_sliding_window</c> makes layers slide.</summary>
    public bool WindowsNeedSwitch { get; init; }

    /// <summary>Whether <c>layer_types</c>, where it is given, says which layers slide.</summary>
    public bool ReadsLayerTypes { get; init; }

    /// <summary>Whether <c>no_rope_layers</c> (a 1 for each layer that rotates) and <c>no_rope_layer_interval</c> count.</summary>
    public bool HasLayersWithoutRope { get; init; }

    /// <summary>Whether <c>partial_rotary_factor</c> may rotate only the first part of a head.</summary>
    public bool RotatesPartly { get; init; }

    /// <summary>The rope type in whose place old files say <c>su</c> or <c>yarn</c>; null where yarn means yarn.</summary>
    public string? FormerYarn { get; init; }

    /// <summary>Whether the scores are scaled by <c>query_pre_attn_scalar</c>^-½ (256 where it isn't given) rather than by the head's
    /// size.</summary>
    public bool ScalesByQueryScalar { get; init; }

    /// <summary>Whether queries and keys go through an RMS norm per head, <c>q_norm</c> and <c>k_norm</c>, before they are rotated.</summary>
    public bool NormsQueriesAndKeys { get; init; }

    /// <summary>Whether q, k and v are one tensor, <c>qkv_proj</c>, and gate and up too, <c>gate_up_proj</c>.</summary>
    public bool PacksProjections { get; init; }

    /// <summary>Whether what attention and MLP add is normed too: <c>post_attention_layernorm</c> and <c>post_feedforward_layernorm</c>, with
    /// <c>pre_feedforward_layernorm</c> before the MLP.</summary>
    public bool NormsOutputs { get; init; }

    /// <summary>Whether norms multiply by 1 + weight.</summary>
    public bool NormsAroundOne { get; init; }

    /// <summary>Whether embeddings are multiplied by the square root of the hidden size.</summary>
    public bool ScalesEmbedding { get; init; }

    /// <summary>Whether its hidden states are known to leave float16's range.</summary>
    public bool OverflowsFloat16 { get; init; }
}

/// <summary>Which projections of an attention have a bias.</summary>
public enum BiasRule
{
    /// <summary>All four or none: <c>attention_bias</c>.</summary>
    ByField,

    /// <summary>q, k and v always, the output never.</summary>
    QueryKeyValue,

    /// <summary>None.</summary>
    Never,
}

/// <summary>Which layers have a window, unless <c>layer_types</c> says.</summary>
public enum WindowRule
{
    None,

    All,

    /// <summary>Those from <c>max_window_layers</c> on.</summary>
    FromMaxWindowLayers,

    /// <summary>Those without rotary embeddings.</summary>
    WithoutRope,

    /// <summary>All but each n-th, <c>sliding_window_pattern</c>: 6 where it isn't given.</summary>
    AllButEachNth,
}
