namespace R1Serverless.Tests.ModelBuilder.Families;

/// <summary>What a decoder computes, said by the test itself rather than read from a config.json.</summary>
internal sealed record NaiveModel
{
    public int Hidden { get; init; } = 32;

    public int Inner { get; init; } = 40;

    public int Heads { get; init; } = 4;

    public int KeyValueHeads { get; init; } = 2;

    public int HeadSize { get; init; } = 16;

    public int Vocabulary { get; init; } = 56;

    public double Epsilon { get; init; } = 1e-5;

    public bool HasQueryBias { get; init; }

    public bool HasOutputBias { get; init; }

    public bool NormsHeads { get; init; }

    public bool IsPacked { get; init; }

    public bool HasGemmaNorms { get; init; }

    public bool IsTied { get; init; }

    public double EmbeddingScale { get; init; } = 1;

    public double? ScoreScale { get; init; }

    /// <summary>What cosines and sines are multiplied by.</summary>
    public double RotaryScale { get; init; } = 1;

    /// <summary>For each layer its window, or null, and its frequencies in radians per token, or null where nothing is rotated.</summary>
    public required IReadOnlyList<(int? Window, double[]? Frequencies)> Layers { get; init; }

    /// <summary>Every tensor, with its shape.</summary>
    public IEnumerable<(string Name, long[] Shape)> Tensors()
    {
        long hidden = Hidden, inner = Inner, queries = Heads * HeadSize, keys = KeyValueHeads * HeadSize;
        yield return ("model.embed_tokens.weight", [Vocabulary, hidden]);
        for (var i = 0; i < Layers.Count; i++)
        {
            string attention = $"model.layers.{i}.self_attn", mlp = $"model.layers.{i}.mlp";
            yield return ($"model.layers.{i}.input_layernorm.weight", [hidden]);
            yield return ($"model.layers.{i}.post_attention_layernorm.weight", [hidden]);
            if (HasGemmaNorms)
            {
                yield return ($"model.layers.{i}.pre_feedforward_layernorm.weight", [hidden]);
                yield return ($"model.layers.{i}.post_feedforward_layernorm.weight", [hidden]);
            }

            (string, long)[] projections = IsPacked ? [("qkv_proj", queries + (2 * keys))]
                : [("q_proj", queries), ("k_proj", keys), ("v_proj", keys)];
            foreach (var (name, size) in projections)
            {
                yield return ($"{attention}.{name}.weight", [size, hidden]);
                if (HasQueryBias) yield return ($"{attention}.{name}.bias", [size]);
            }

            yield return ($"{attention}.o_proj.weight", [hidden, queries]);
            if (HasOutputBias) yield return ($"{attention}.o_proj.bias", [hidden]);
            foreach (var name in (string[])(NormsHeads ? ["q_norm", "k_norm"] : [])) yield return ($"{attention}.{name}.weight", [HeadSize]);
            (string, long)[] gates = IsPacked ? [("gate_up_proj", 2 * inner)] : [("gate_proj", inner), ("up_proj", inner)];
            foreach (var (name, size) in gates) yield return ($"{mlp}.{name}.weight", [size, hidden]);
            yield return ($"{mlp}.down_proj.weight", [hidden, inner]);
        }

        yield return ("model.norm.weight", [hidden]);
        if (!IsTied) yield return ("lm_head.weight", [Vocabulary, hidden]);
    }
}
