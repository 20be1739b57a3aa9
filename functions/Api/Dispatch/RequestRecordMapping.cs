using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Api.OpenAI;
using R1Serverless.Queues.Gateway;

namespace R1Serverless.Api.Dispatch;

/// <summary>From a call to its record, and from the record to the answer of those that come back.</summary>
internal static class RequestRecordMapping
{
    public static RequestRecord Of(CompletionCall call, AnswerHead head) =>
        new(call.Request.Id.Value, call.Request.Owner, call.Api.ToString(), call.Request.Model, head.Created, call.Webhook?.AbsoluteUri,
            call.Infer?.Id, call.Texts is { } form ? JsonSerializer.Serialize(form, WireJson.Relaxed.TextForm) : null);

    public static AnswerHead Head(RequestRecord record) =>
        AnswerHead.For(Api(record), record.Id, record.Created, record.Model, record.ClientId) with
        {
            Texts = record.Form is { } form ? JsonSerializer.Deserialize(form, WireJson.Relaxed.TextForm) : null,
        };

    /// <param name="result">Null while the request has not ended.</param>
    public static RequestAnswer Answer(RequestRecord record, InferenceResult? result) =>
        RequestStatusWriter.Write(new RequestId(record.Id), Api(record), Head(record), result);

    private static CompletionApi Api(RequestRecord record) => Enum.Parse<CompletionApi>(record.Api);
}
