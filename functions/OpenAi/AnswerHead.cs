using R1Serverless.Requests;

namespace R1Serverless.OpenAi;

/// <summary>What every part of one answer repeats. <paramref name="Created"/> is in Unix seconds.</summary>
internal sealed record AnswerHead(string Id, long Created, string Model)
{
    public static AnswerHead For(CompletionCall call, TimeProvider time) => For(call.Api, call.Request.Id.Value, time.GetUtcNow().ToUnixTimeSeconds(), call.Request.Model);

    /// <param name="created">In Unix seconds.</param>
    public static AnswerHead For(CompletionApi api, string id, long created, string model) => new((api == CompletionApi.Chat ? "chatcmpl-" : "cmpl-") + id, created, model);

    public static string Name(FinishReason reason) => reason == FinishReason.Length ? "length" : "stop";
}
