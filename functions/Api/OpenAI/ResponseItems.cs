using R1Serverless.Abstractions;

namespace R1Serverless.Api.OpenAI;

/// <summary>Makes the objects of /v1/responses: a piece of reasoning or answer is an item of its own, in the order it was generated.</summary>
/// <param name="head">What all of them repeat.</param>
internal sealed class ResponseItems(AnswerHead head)
{
    public const string Completed = "completed", Incomplete = "incomplete", InProgress = "in_progress";

    private readonly ResponseSettings _settings = head.Settings ?? ResponseSettings.None;

    public string Id(DeltaKind kind, int index) =>
        $"{(kind == DeltaKind.Reasoning ? "rs" : "msg")}_{head.Id[AnswerHead.ResponsePrefix.Length..]}_{index}";

    /// <summary>Reasoning goes out in both places in use: as its own summary, where most clients look, and as its content.</summary>
    /// <param name="text">Null where it has yet to come.</param>
    public ResponseItem Item(DeltaKind kind, int index, string? text, string status) => kind == DeltaKind.Answer
        ? new(Id(kind, index), "message", status, "assistant", text is null ? [] : [Part(kind, text)], null)
        : new(Id(kind, index), "reasoning", status, null, text is null ? [] : [new("reasoning_text", text)], text is null ? [] : [Part(kind, text)]);

    /// <summary>As streams tell it.</summary>
    public static ResponsePart Part(DeltaKind kind, string text) =>
        kind == DeltaKind.Answer ? new("output_text", text, [], []) : new("summary_text", text);

    /// <param name="usage">Null while it runs.</param>
    public ResponseAnswer Answer(string status, IReadOnlyList<ResponseItem> output, Usage? usage, VariantChoice? variant) => new(
        head.Id, "response", head.Created, status, null, status == Incomplete ? new("max_output_tokens") : null, _settings.Instructions,
        _settings.MaxOutputTokens, head.Model, output, true, null, new(_settings.Effort, _settings.Summary), false, _settings.Temperature,
        new(new("text")), "none", [], _settings.TopP, "disabled", usage is null ? null : Counts(usage, variant), _settings.Metadata);

    /// <param name="result">Finished.</param>
    public ResponseAnswer Answer(InferenceResult result)
    {
        var choice = result.Choices[0];
        var status = StatusOf(choice.Reason);
        var parts = choice.WholeParts();
        List<ResponseItem> output =
            [.. parts.Select((part, index) => Item(part.Kind, index, part.Text, index == parts.Count - 1 ? status : Completed))];
        // There is a message always, as a chat's answer has its content.
        if (!parts.Any(part => part.Kind == DeltaKind.Answer)) output.Add(Item(DeltaKind.Answer, output.Count, "", status));
        return Answer(status, output, result.Usage, result.Variant);
    }

    public static string StatusOf(FinishReason? reason) => reason == FinishReason.Length ? Incomplete : Completed;

    private static ResponseUsage Counts(Usage usage, VariantChoice? variant)
    {
        var counted = UsageWire.From(usage, variant);
        return new(counted.PromptTokens, counted.PromptTokensDetails, counted.CompletionTokens, counted.CompletionTokensDetails,
            counted.TotalTokens, counted.Variant);
    }
}
