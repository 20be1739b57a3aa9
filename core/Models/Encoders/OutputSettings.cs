using R1Serverless.Abstractions;

namespace R1Serverless.Models.Encoders;

/// <summary>What is made of what a graph gives for one text or image: a vector, or scores.</summary>
public record OutputSettings
{
    public required TextTask Task { get; init; }

    /// <summary>The output of the graph that is used.</summary>
    public required string Output { get; init; }

    /// <summary>What the output of each token becomes a vector by, one behind the other; empty where the graph gives one vector, or scores.</summary>
    public IReadOnlyList<Pooling> Poolings { get; init; } = [];

    /// <summary>Whether vectors get the length 1.</summary>
    public bool Normalizes { get; init; }

    /// <summary>Of a classifier: by the number of the score.</summary>
    public IReadOnlyList<string> Labels { get; init; } = [];

    /// <summary>How scores become probabilities.</summary>
    public ScoreActivation Activation { get; init; }

    /// <summary>Numbers of a vector; null where the graph does not say.</summary>
    public int? Dimensions { get; init; }
}

/// <summary>How the vectors of a text's tokens become one, in sentence-transformers' words.</summary>
public enum Pooling
{
    /// <summary>The first token's.</summary>
    Cls,

    /// <summary>The greatest of each dimension.</summary>
    Max,

    /// <summary>Their mean.</summary>
    Mean,

    /// <summary>Their sum over the square root of their number.</summary>
    MeanSqrtLen,

    /// <summary>Their mean, the n-th counting n times.</summary>
    WeightedMean,

    /// <summary>The last token's.</summary>
    LastToken,
}

/// <summary>How a classifier's scores become probabilities.</summary>
public enum ScoreActivation
{
    /// <summary>One of the labels is right: they add up to 1.</summary>
    Softmax,

    /// <summary>Each by itself.</summary>
    Sigmoid,

    /// <summary>They are no probabilities.</summary>
    None,
}
