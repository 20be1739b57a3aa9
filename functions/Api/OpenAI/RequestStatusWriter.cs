using System.Text.Json;
using R1Serverless.Abstractions;

namespace R1Serverless.Api.OpenAI;

/// <summary>Writes a request that somebody comes back for.</summary>
internal static class RequestStatusWriter
{
    /// <param name="head">As its answers have it.</param>
    /// <param name="result">Null while it has not ended.</param>
    public static RequestAnswer Write(RequestId id, CompletionApi api, AnswerHead head, InferenceResult? result)
    {
        JsonElement? response = result is { Outcome: RequestOutcome.Finished } ? AnswerWriter.Element(api, result, head) : null;
        var error = result?.Error is { } fault ? ErrorWire.From(ApiError.From(fault, CompletionCall.FieldOfPrompt(api), id.Value)).Error : null;
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
