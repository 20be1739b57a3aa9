using R1Serverless.Requests;

namespace R1Serverless.OpenAi;

/// <summary>Writes the result of a finished request as the answer of a client that does not stream.</summary>
internal static class AnswerWriter
{
    /// <param name="result">Finished.</param>
    public static ChatAnswer Chat(InferenceResult result, AnswerHead head) =>
        new(head.Id, "chat.completion", head.Created, head.Model, [.. result.Choices.Select(ChatChoice)], UsageWire.From(result.Usage!, result.Variant));

    /// <inheritdoc cref="Chat"/>
    public static TextAnswer Text(InferenceResult result, AnswerHead head) =>
        new(head.Id, "text_completion", head.Created, head.Model, [.. result.Choices.Select(TextChoice)], UsageWire.From(result.Usage!, result.Variant));

    private static ChatAnswerChoice ChatChoice(ChoiceResult choice, int index)
    {
        string? reasoning = choice.Text(DeltaKind.Reasoning) is { Length: > 0 } text ? text : null;
        ChatLogprobs? logprobs = choice.Logprobs is { } tokens ? new([.. tokens.Select(LogprobWire.Chat)], null) : null;
        return new(index, new("assistant", choice.Text(DeltaKind.Answer), reasoning, reasoning, null), logprobs, AnswerHead.Name(choice.Reason ?? FinishReason.Stop));
    }

    private static TextAnswerChoice TextChoice(ChoiceResult choice, int index)
    {
        int offset = 0;
        TextLogprobs? logprobs = choice.Logprobs is { } tokens ? LogprobWire.Text(tokens, ref offset) : null;
        return new(index, choice.AllText(), logprobs, AnswerHead.Name(choice.Reason ?? FinishReason.Stop));
    }
}
