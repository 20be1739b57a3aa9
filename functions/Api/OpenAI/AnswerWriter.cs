using System.Buffers;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Api.OpenInference;

namespace R1Serverless.Api.OpenAI;

/// <summary>Writes the result of a finished request as the answer of a client that does not stream.</summary>
internal static class AnswerWriter
{
    /// <param name="result">Finished.</param>
    public static ChatAnswer Chat(InferenceResult result, AnswerHead head) =>
        new(head.Id, "chat.completion", head.Created, head.Model, [.. result.Choices.Select(ChatChoice)],
            UsageWire.From(result.Usage!, result.Variant));

    /// <inheritdoc cref="Chat"/>
    public static TextAnswer Text(InferenceResult result, AnswerHead head) =>
        new(head.Id, "text_completion", head.Created, head.Model, [.. result.Choices.Select(TextChoice)],
            UsageWire.From(result.Usage!, result.Variant));

    /// <inheritdoc cref="Chat"/>
    public static ResponseAnswer Response(InferenceResult result, AnswerHead head) => new ResponseItems(head).Answer(result);

    /// <summary>For an answer that is part of another object.</summary>
    public static JsonElement Element(CompletionApi api, InferenceResult result, AnswerHead head) => api switch
    {
        CompletionApi.Chat => JsonSerializer.SerializeToElement(Chat(result, head), WireJson.Relaxed.ChatAnswer),
        CompletionApi.Text => JsonSerializer.SerializeToElement(Text(result, head), WireJson.Relaxed.TextAnswer),
        CompletionApi.Tensors => JsonElement.Parse(Tensors(result, head, isPart: true).WrittenSpan),
        CompletionApi.Embeddings or CompletionApi.Rank or CompletionApi.Classify =>
            JsonElement.Parse(TextAnswerWriter.Write(api, result, head).WrittenSpan),
        CompletionApi.Series => JsonElement.Parse(SeriesAnswerWriter.Write(result.Series!, head.Model, result.Variant).WrittenSpan),
        _ => JsonSerializer.SerializeToElement(Response(result, head), WireJson.Relaxed.ResponseAnswer),
    };

    /// <summary>The JSON of an answer in the Open Inference Protocol; what is wanted as binary data follows it.</summary>
    /// <param name="isPart">Of another object: then everything is JSON.</param>
    public static ArrayBufferWriter<byte> Tensors(InferenceResult result, AnswerHead head, bool isPart = false) =>
        InferAnswerWriter.Write(head.Model, result.Variant?.Version, head.Infer ?? InferForm.Plain, InferFields.Outputs(result), isPart);

    private static ChatAnswerChoice ChatChoice(ChoiceResult choice, int index)
    {
        var reasoning = choice.Text(DeltaKind.Reasoning) is { Length: > 0 } text ? text : null;
        ChatLogprobs? logprobs = choice.Logprobs is { } tokens ? new([.. tokens.Select(LogprobWire.Chat)], null) : null;
        return new(index, new("assistant", choice.Text(DeltaKind.Answer), reasoning, reasoning, null), logprobs,
            AnswerHead.Name(choice.Reason ?? FinishReason.Stop));
    }

    private static TextAnswerChoice TextChoice(ChoiceResult choice, int index)
    {
        var offset = 0;
        var logprobs = choice.Logprobs is { } tokens ? LogprobWire.Text(tokens, ref offset) : null;
        return new(index, choice.AllText(), logprobs, AnswerHead.Name(choice.Reason ?? FinishReason.Stop));
    }
}
