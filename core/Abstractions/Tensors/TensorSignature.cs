namespace R1Serverless.Abstractions.Tensors;

/// <summary>What a graph that is no decoder takes and gives.</summary>
/// <param name="Inputs">Every one has to come with a request.</param>
/// <param name="Outputs">In the graph's order.</param>
public sealed record TensorSignature(IReadOnlyList<TensorSpec> Inputs, IReadOnlyList<TensorSpec> Outputs)
{
    /// <summary>Whether requests of equal shapes share a run, one behind the other along the first axis of every input and output.</summary>
    public bool IsBatched { get; init; }

    /// <summary>Why they don't, in words; null where they do.</summary>
    public string? NotBatched { get; init; }
}

/// <summary>One input or output.</summary>
/// <param name="Shape">-1 for a dimension that a request chooses; null where it chooses their number, too.</param>
public sealed record TensorSpec(string Name, TensorType Type, IReadOnlyList<long>? Shape)
{
    /// <summary>Whether it also takes encoded images, as <see cref="TensorType.Bytes"/> of the shape [n], which become its content here.</summary>
    public bool TakesImages { get; init; }
}
