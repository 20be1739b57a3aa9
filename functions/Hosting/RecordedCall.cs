using R1Serverless.OpenAi;
using R1Serverless.Queues;
using R1Serverless.Requests;

namespace R1Serverless.Hosting;

/// <summary>From a call to its record, and from the record to the answer of those that come back.</summary>
internal static class RecordedCall
{
    public static RequestRecord Of(CompletionCall call, AnswerHead head) =>
        new(call.Request.Id.Value, call.Request.Owner, call.Api.ToString(), call.Request.Model, head.Created, call.Webhook?.AbsoluteUri);

    public static AnswerHead Head(RequestRecord record) => AnswerHead.For(Api(record), record.Id, record.Created, record.Model);

    /// <param name="result">Null while the request has not ended.</param>
    public static RequestAnswer Answer(RequestRecord record, InferenceResult? result) => RequestWriter.Write(new RequestId(record.Id), Api(record), Head(record), result);

    private static CompletionApi Api(RequestRecord record) => Enum.Parse<CompletionApi>(record.Api);
}
