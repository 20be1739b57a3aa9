using System.Text.Json;
using R1Serverless.Requests;

namespace R1Serverless.OpenAi;

/// <summary>Writes a request that somebody comes back for.</summary>
internal static class RequestWriter
{
    /// <param name="head">As its answers have it.</param>
    /// <param name="result">Null while it has not ended.</param>
    public static RequestAnswer Write(RequestId id, CompletionApi api, AnswerHead head, InferenceResult? result)
    {
        JsonElement? response = result is not { Outcome: RequestOutcome.Finished }
            ? null
            : api == CompletionApi.Chat
                ? JsonSerializer.SerializeToElement(AnswerWriter.Chat(result, head), WireJson.Relaxed.ChatAnswer)
                : JsonSerializer.SerializeToElement(AnswerWriter.Text(result, head), WireJson.Relaxed.TextAnswer);
        ErrorDetail? error = result?.Error is { } fault ? ErrorWire.From(ApiError.From(fault, CompletionCall.FieldOfPrompt(api), id.Value)).Error : null;
        return new RequestAnswer(id.Value, "request", Status(result?.Outcome), head.Created, head.Model, response, error);
    }

    private static string Status(RequestOutcome? outcome) => outcome switch
    {
        null => "queued",
        RequestOutcome.Finished => "finished",
        RequestOutcome.Cancelled => "cancelled",
        RequestOutcome.Expired => "expired",
        RequestOutcome.DeadLettered => "dead_lettered",
        _ => "failed",
    };
}
