using R1Serverless.Abstractions.Tensors;
using R1Serverless.Models.Encoders;

namespace R1Serverless.Models.Images;

/// <summary>How a graph reads images, and what is made of what it gives.</summary>
public sealed record ImageSettings
{
    /// <summary>The graph's only input: [n, 3, height, width], or [n, height, width, 3].</summary>
    public required string Input { get; init; }

    /// <summary>Whether the channels are the last dimension.</summary>
    public required bool IsChannelsLast { get; init; }

    public required ImageSteps Steps { get; init; }

    /// <summary>What it is asked for with images, labels or vectors; null where it gives neither: then images come as its input only.</summary>
    public OutputSettings? Output { get; init; }

    /// <summary>The same inputs and outputs, with the one that takes images marked.</summary>
    public static TensorSignature Mark(TensorSignature signature, ImageSettings? settings) => settings is null ? signature
        : signature with { Inputs = [.. signature.Inputs.Select(input => input with { TakesImages = input.Name == settings.Input })] };
}
