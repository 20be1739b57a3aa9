using System.Text.Json;
using System.Text.Json.Serialization;

namespace R1Serverless.Api.OpenAI;

/// <summary>What an answer of POST /v1/responses repeats of its call; all of it is null where the call is no longer at hand.</summary>
/// <param name="Summary">How the client wants reasoning summed up; the summary is the reasoning itself.</param>
internal sealed record ResponseSettings(
    string? Instructions, int? MaxOutputTokens, float? Temperature, float? TopP, JsonElement? Metadata, string? Effort, string? Summary)
{
    public static ResponseSettings None { get; } = new(null, null, null, null, null, null, null);
}

/// <summary>The answer of POST /v1/responses.</summary>
/// <param name="Status">in_progress, completed, or incomplete where the token limit ended it.</param>
internal sealed record ResponseAnswer(
    string Id,
    string Object,
    long CreatedAt,
    string Status,
    ErrorDetail? Error,
    ResponseIncomplete? IncompleteDetails,
    string? Instructions,
    int? MaxOutputTokens,
    string Model,
    IReadOnlyList<ResponseItem> Output,
    bool ParallelToolCalls,
    string? PreviousResponseId,
    ResponseReasoning Reasoning,
    bool Store,
    float? Temperature,
    ResponseText Text,
    string ToolChoice,
    IReadOnlyList<string> Tools,
    float? TopP,
    string Truncation,
    ResponseUsage? Usage,
    JsonElement? Metadata);

internal sealed record ResponseIncomplete(string Reason);

internal sealed record ResponseReasoning(string? Effort, string? Summary);

internal sealed record ResponseText(ResponseFormat Format);

internal sealed record ResponseFormat(string Type);

internal sealed record ResponseUsage(
    int InputTokens, PromptTokensDetails InputTokensDetails, int OutputTokens, CompletionTokensDetails OutputTokensDetails, int TotalTokens,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] AnswerVariant? Variant);

/// <summary>Reasoning, or a message of the assistant.</summary>
/// <param name="Summary">Of reasoning alone, and there always.</param>
internal sealed record ResponseItem(
    string Id,
    string Type,
    string Status,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Role,
    IReadOnlyList<ResponsePart> Content,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<ResponsePart>? Summary);

/// <param name="Type">output_text, reasoning_text or summary_text.</param>
/// <param name="Annotations">Of output_text alone, and always empty; <paramref name="Logprobs"/> alike.</param>
internal sealed record ResponsePart(
    string Type,
    string Text,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<string>? Annotations = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<string>? Logprobs = null);

/// <summary>One event of a stream of POST /v1/responses; which fields it has goes by its type.</summary>
internal sealed record ResponseEvent(string Type, int SequenceNumber)
{
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ResponseAnswer? Response { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? ItemId { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? OutputIndex { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? ContentIndex { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? SummaryIndex { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ResponseItem? Item { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ResponsePart? Part { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Delta { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Text { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? Logprobs { get; init; }

    // Of an error: OpenAI writes its fields here, and its SDKs look for the object that answers have.
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Code { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Message { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Param { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ErrorDetail? Error { get; init; }
}
