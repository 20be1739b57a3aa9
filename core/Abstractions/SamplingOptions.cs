namespace R1Serverless.Abstractions;

/// <summary>How the next token is chosen. A null leaves the value to the model's generation_config.json.</summary>
public sealed record SamplingOptions
{
    /// <summary>0 is greedy; at most 2.</summary>
    public float? Temperature { get; init; }

    /// <summary>Nucleus: the smallest set of tokens whose probability reaches this, in (0, 1].</summary>
    public float? TopP { get; init; }

    /// <summary>Only the k likeliest tokens; 0 means all.</summary>
    public int? TopK { get; init; }

    /// <summary>Only tokens at least this fraction as likely as the likeliest, in [0, 1].</summary>
    public float? MinP { get; init; }

    /// <summary>What the logit of a token that is in the prompt or was generated is divided by where it is positive, else multiplied by, in (0, 2];
    /// 1 changes nothing.</summary>
    public float? RepetitionPenalty { get; init; }

    /// <summary>The same seed gives the same text, whatever runs beside it. Null draws one.</summary>
    public long? Seed { get; init; }

    /// <summary>Subtracted from a token's logit for each time it was generated, in [-2, 2].</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Subtracted from a token's logit once it was generated, in [-2, 2].</summary>
    public float PresencePenalty { get; init; }

    /// <summary>Added to the logits of these token ids, each in [-100, 100].</summary>
    public IReadOnlyDictionary<int, float> LogitBias { get; init; } = System.Collections.Immutable.ImmutableDictionary<int, float>.Empty;
}
