using System.Text.Json;
using R1Serverless.Abstractions;

namespace R1Serverless.Api.OpenAI;

/// <summary>Writes the lines of a batch's output and error files: <c>{"id", "custom_id", "response", "error"}</c>.</summary>
internal static class BatchWriter
{
    /// <param name="url">A path that <see cref="CompletionPaths.Find"/> knows.</param>
    /// <param name="model">As the request named it.</param>
    /// <param name="created">In Unix seconds.</param>
    public static byte[] Write(string customId, string url, string model, InferenceResult result, long created)
    {
        var api = CompletionPaths.Find(url) ?? CompletionApi.Chat;
        return result switch
        {
            { Outcome: RequestOutcome.Finished } => Answer(
                customId, result.Id, StatusCodes.Status200OK,
                AnswerWriter.Element(api, result, AnswerHead.For(api, result.Id.Value, created, model))),
            { Outcome: RequestOutcome.Cancelled } => Cancelled(customId, result.Id),
            _ => Refused(customId, result.Id, ApiError.From(
                result.Error ?? new InferenceError(InferenceErrorKind.Internal, ""), CompletionCall.FieldOfPrompt(api), result.Id.Value)),
        };
    }

    /// <summary>A line whose request was answered with an error.</summary>
    public static byte[] Refused(string customId, RequestId id, ApiError error) =>
        Answer(customId, id, error.Status, JsonSerializer.SerializeToElement(ErrorWire.From(error), WireJson.Relaxed.ErrorAnswer));

    public static byte[] Cancelled(string customId, RequestId id) =>
        Error(customId, id, "batch_cancelled", "This request was not executed: the batch was cancelled.");

    public static byte[] Expired(string customId, RequestId id) =>
        Error(customId, id, "batch_expired", "This request could not be executed before the completion window expired.");

    private static byte[] Answer(string customId, RequestId id, int status, JsonElement body) =>
        Line(new BatchLineWire("batch_req_" + id.Value, customId, new BatchResponseWire(status, id.Value, body), null));

    private static byte[] Error(string customId, RequestId id, string code, string message) =>
        Line(new BatchLineWire("batch_req_" + id.Value, customId, null, new BatchLineErrorWire(code, message)));

    private static byte[] Line(BatchLineWire line) => [.. JsonSerializer.SerializeToUtf8Bytes(line, WireJson.Relaxed.BatchLineWire), (byte)'\n'];
}
