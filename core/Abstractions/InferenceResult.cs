using R1Serverless.Abstractions.Series;
using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Abstractions;

/// <summary>How a request ended. Each ends in exactly one of these.</summary>
public enum RequestOutcome
{
    Finished,

    /// <summary>With a reason, see <see cref="InferenceResult.Error"/>.</summary>
    Failed,
    Cancelled,

    /// <summary>Its deadline passed before it was finished.</summary>
    Expired,

    /// <summary>Every delivery to a worker ended without a result, or the message could not be read.</summary>
    DeadLettered,
}

/// <summary>The whole of an ended request: what a client reads that comes back for it, and what a batch writes as one line.</summary>
public sealed record InferenceResult
{
    public required RequestId Id { get; init; }

    public required RequestOutcome Outcome { get; init; }

    /// <summary>One per choice, in order; what there was of them where the request did not finish.</summary>
    public IReadOnlyList<ChoiceResult> Choices { get; init; } = [];

    /// <summary>The answer to <see cref="Prompt.Tensors"/> or <see cref="Prompt.Texts"/>; null for other requests, and where it did not
    /// finish.</summary>
    public IReadOnlyList<Tensor>? Outputs { get; init; }

    /// <summary>The answer to <see cref="Prompt.Series"/>; null for other requests, and where it did not finish.</summary>
    public SeriesAnswer? Series { get; init; }

    /// <summary>Null unless the request finished.</summary>
    public Usage? Usage { get; init; }

    /// <summary>Null where no variant was chosen.</summary>
    public VariantChoice? Variant { get; init; }

    /// <summary>Null exactly if the request finished.</summary>
    public InferenceError? Error { get; init; }
}

/// <summary>One answer.</summary>
/// <param name="Parts">Its text in the order it was generated, as a stream tells it; neighbours differ in kind.</param>
/// <param name="Reason">Null if it did not come to its end.</param>
/// <param name="Logprobs">Null where they were not asked for.</param>
/// <param name="UnopenedReasoning">See <see cref="InferenceEvent.ChoiceFinished"/>.</param>
public sealed record ChoiceResult(
    IReadOnlyList<TextPart> Parts, FinishReason? Reason, IReadOnlyList<TokenLogprob>? Logprobs = null, int UnopenedReasoning = 0)
{
    /// <summary>The parts as they are known to be now that all has come.</summary>
    public IReadOnlyList<TextPart> WholeParts()
    {
        if (UnopenedReasoning == 0 || Parts is not [{ Kind: DeltaKind.Answer } first, ..]) return Parts;
        var end = Math.Min(UnopenedReasoning, first.Text.Length);
        TextPart[] parts = [new(DeltaKind.Reasoning, first.Text[..end].TrimEnd('\n')), first with { Text = first.Text[end..] }, .. Parts.Skip(1)];
        return [.. parts.Where(part => part.Text.Length > 0)];
    }

    /// <summary>All text of one kind.</summary>
    public string Text(DeltaKind kind) => string.Concat(WholeParts().Where(part => part.Kind == kind).Select(part => part.Text));

    /// <summary>The text as generated, reasoning included.</summary>
    public string AllText() => string.Concat(Parts.Select(part => part.Text));
}

public sealed record TextPart(DeltaKind Kind, string Text);
