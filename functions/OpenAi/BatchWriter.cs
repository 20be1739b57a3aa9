using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using R1Serverless.Requests;

namespace R1Serverless.OpenAi;

/// <summary>Writes the lines of a batch's output and error files: <c>{"id", "custom_id", "response", "error"}</c>.</summary>
internal static class BatchWriter
{
    /// <param name="url">One of <see cref="CompletionPaths"/>.</param>
    /// <param name="model">As the request named it.</param>
    /// <param name="created">In Unix seconds.</param>
    public static byte[] Write(string customId, string url, string model, InferenceResult result, long created) => result switch
    {
        { Outcome: RequestOutcome.Finished } when CompletionPaths.Find(url) == CompletionApi.Chat =>
            Answer(customId, result.Id, StatusCodes.Status200OK, AnswerWriter.Chat(result, Head("chatcmpl-", result, model, created)), WireJson.Relaxed.ChatAnswer),
        { Outcome: RequestOutcome.Finished } =>
            Answer(customId, result.Id, StatusCodes.Status200OK, AnswerWriter.Text(result, Head("cmpl-", result, model, created)), WireJson.Relaxed.TextAnswer),
        { Outcome: RequestOutcome.Cancelled } => Cancelled(customId, result.Id),
        _ => Refused(customId, result.Id, ApiError.From(
            result.Error ?? new InferenceError(InferenceErrorKind.Internal, ""), CompletionCall.FieldOfPrompt(CompletionPaths.Find(url) ?? CompletionApi.Chat), result.Id.Value)),
    };

    /// <summary>A line whose request was answered with an error.</summary>
    public static byte[] Refused(string customId, RequestId id, ApiError error) => Answer(customId, id, error.Status, ErrorWire.From(error), WireJson.Relaxed.ErrorAnswer);

    public static byte[] Cancelled(string customId, RequestId id) => Error(customId, id, "batch_cancelled", "This request was not executed: the batch was cancelled.");

    public static byte[] Expired(string customId, RequestId id) =>
        Error(customId, id, "batch_expired", "This request could not be executed before the completion window expired.");

    private static AnswerHead Head(string prefix, InferenceResult result, string model, long created) => new(prefix + result.Id.Value, created, model);

    private static byte[] Answer<T>(string customId, RequestId id, int status, T body, JsonTypeInfo<T> type) => Line(
        new BatchLineWire("batch_req_" + id.Value, customId, new BatchResponseWire(status, id.Value, JsonSerializer.SerializeToElement(body, type)), null));

    private static byte[] Error(string customId, RequestId id, string code, string message) =>
        Line(new BatchLineWire("batch_req_" + id.Value, customId, null, new BatchLineErrorWire(code, message)));

    private static byte[] Line(BatchLineWire line) => [.. JsonSerializer.SerializeToUtf8Bytes(line, WireJson.Relaxed.BatchLineWire), (byte)'\n'];
}
