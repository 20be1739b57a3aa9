using R1Serverless.Abstractions.Series;
using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Abstractions;

/// <summary>
/// What happens to a request, in order: <see cref="Admitted"/>, any number of <see cref="Delta"/>, one <see cref="ChoiceFinished"/> per choice (of
/// <see cref="Prompt.Tensors"/> and <see cref="Prompt.Texts"/>, one <see cref="Outputs"/>; of <see cref="Prompt.Series"/>, one
/// <see cref="Decided"/>), and <see cref="Finished"/>; or, at any point, <see cref="Failed"/> as the last. A refused request has
/// <see cref="Failed"/> only.
/// </summary>
public abstract record InferenceEvent
{
    private InferenceEvent()
    {
    }

    /// <summary>The request is valid and has a place in the engine's queue.</summary>
    public sealed record Admitted(int PromptTokens, VariantChoice Variant) : InferenceEvent;

    /// <summary>New text of one choice: whole characters, possibly of several tokens.</summary>
    public sealed record Delta(int Choice, DeltaKind Kind, string Text, IReadOnlyList<TokenLogprob>? Logprobs = null) : InferenceEvent;

    /// <summary>The answer to <see cref="Prompt.Tensors"/>, in the order that was asked for, or to <see cref="Prompt.Texts"/>.</summary>
    public sealed record Outputs(IReadOnlyList<Tensor> Tensors) : InferenceEvent;

    /// <summary>The end of one choice.</summary>
    /// <param name="Choice">The choice's index.</param>
    /// <param name="Reason">Why no more tokens come.</param>
    /// <param name="UnopenedReasoning">How many characters at the answer's beginning were reasoning: its end came, though nothing had opened it.
    /// Those who were given the text as it came can't be told otherwise.</param>
    public sealed record ChoiceFinished(int Choice, FinishReason Reason, int UnopenedReasoning = 0) : InferenceEvent;

    /// <summary>The answer to <see cref="Prompt.Series"/>.</summary>
    public sealed record Decided(SeriesAnswer Answer) : InferenceEvent;

    public sealed record Finished(Usage Usage) : InferenceEvent;

    public sealed record Failed(InferenceError Error) : InferenceEvent;
}

public enum DeltaKind
{
    /// <summary>Between <c>&lt;think&gt;</c> and <c>&lt;/think&gt;</c>.</summary>
    Reasoning,
    Answer,
}

public enum FinishReason
{
    /// <summary>The model ended, or a stop text was reached.</summary>
    Stop,

    /// <summary>The token limit or the end of the context was reached.</summary>
    Length,
}

/// <summary>Tokens counted over all choices; reasoning tokens are part of the completion tokens.</summary>
public sealed record Usage(int PromptTokens, int CompletionTokens, int ReasoningTokens)
{
    /// <summary>Of the prompts' tokens, those that were computed for earlier requests.</summary>
    public int CachedTokens { get; init; }
}

/// <summary>A chosen token and its likeliest alternatives. Bytes are its UTF-8 bytes, which may be part of a character.</summary>
public sealed record TokenLogprob(string Token, byte[] Bytes, float Logprob, IReadOnlyList<TokenLogprob> Top);
